// Package components holds the small parts that pages are made of. Class names
// and shapes are those of the design; every state shows colour, shape and word.
package components
