// Package bench measures the console against bare programs that do the same work,
// alternated with it in one run, so that the ratios hold on a noisy machine. It has
// benchmarks only: `make bench`.
package bench
