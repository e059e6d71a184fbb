// Package insights works out figures: what corrections of a period came to, in total and
// by day, agent, reason, merchant, service and device. It only reads.
package insights
