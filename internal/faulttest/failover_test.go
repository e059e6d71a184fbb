package faulttest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

const mainAddress = "sim:80"

// TestFailover_NeverSendsOnTheOtherHost takes the main host down at each point of a
// correction. Queries go to the backup; the POST is made once, to one host.
func TestFailover_NeverSendsOnTheOtherHost(t *testing.T) {
	t.Parallel()
	shared(t)
	seed, n := seed(t), perCell(t)
	const forever = 1 << 20
	ways := []way{refuse, hang, unreachable, noSuchHost}
	var sum tally
	t.Run("rows", func(t *testing.T) {
		for i, r := range []struct {
			name string
			arm  func(w *world, no string, how way, chance *rand.Rand)
			on   string           // the host that gets the POST; empty: it is not made
			want correction.State // empty: whatever the truth is
		}{
			{name: "down before sending", on: "backup", want: correction.Applied, arm: func(w *world, _ string, how way, _ *rand.Rand) {
				w.net.cut(cut{host: mainAddress, how: how})
			}},
			{name: "queries hang before sending", on: "backup", want: correction.Applied, arm: func(w *world, no string, _ way, _ *rand.Rand) {
				w.arm(simulator.Fault{Kind: simulator.TimeoutBefore, Call: simulator.CallQuery, Host: "sim", Order: no, Times: forever})
			}},
			{name: "down for the POST", want: correction.NotSent, arm: func(w *world, _ string, how way, _ *rand.Rand) {
				w.net.cut(cut{host: mainAddress, skip: 1, how: how})
			}},
			{name: "down after sending", on: "sim", want: correction.Applied, arm: func(w *world, _ string, how way, _ *rand.Rand) {
				w.net.cut(cut{host: mainAddress, skip: 2, how: how})
			}},
			{name: "queries hang after sending", on: "sim", want: correction.Applied, arm: func(w *world, no string, _ way, _ *rand.Rand) {
				w.arm(simulator.Fault{Kind: simulator.TimeoutBefore, Call: simulator.CallQuery, Host: "sim", Order: no, Skip: 1, Times: forever})
			}},
			{name: "POST without an answer, then down", on: "sim", arm: func(w *world, no string, how way, chance *rand.Rand) {
				lost := []simulator.Kind{simulator.TimeoutAfter, simulator.TimeoutBefore, simulator.ResetAfter, simulator.ResetBefore, simulator.DelayedApply, simulator.ErrorAfter}
				w.arm(simulator.Fault{Kind: lost[chance.IntN(len(lost))], Call: simulator.CallModify, Order: no})
				w.net.cut(cut{host: mainAddress, skip: 2, how: how})
			}},
			{name: "both down before sending", want: correction.NotSent, arm: func(w *world, _ string, how way, _ *rand.Rand) {
				w.net.cut(cut{how: how})
			}},
			{name: "POST without an answer, then both down", on: "sim", arm: func(w *world, no string, how way, chance *rand.Rand) {
				lost := []simulator.Kind{simulator.TimeoutAfter, simulator.TimeoutBefore}
				w.arm(simulator.Fault{Kind: lost[chance.IntN(len(lost))], Call: simulator.CallModify, Order: no})
				w.net.cut(cut{skip: 2, how: how})
			}},
		} {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				chance := rand.New(rand.NewPCG(seed, uint64(i)))
				for first := 0; first < n; first += batch {
					inBubble(t, options{backup: true}, func(t *testing.T, w *world) {
						var ids []int64
						for k := first; k < min(first+batch, n); k++ {
							no := fmt.Sprint("A", i, "B", k)
							what := fmt.Sprintf("%s, %d", r.name, k)
							ref := w.put(no, 5000)
							id := w.prepared(ref, 4000)
							r.arm(w, no, ways[k%len(ways)], chance)
							w.must(w.confirm(actor("lin"), id))
							w.decided(id, what, true, &sum)
							c, applied := w.correction(id), w.sim.Applied(no) > 0
							var hosts []string
							for _, p := range w.sim.PostLog() {
								if p.Order == no {
									hosts = append(hosts, p.Host)
								}
							}
							sum.tried.Add(1)
							if len(hosts) > 1 {
								sum.doubled.Add(1)
							}
							if wrong(c.State, applied, false) {
								sum.wrong.Add(1)
							}
							if r.on == "" && len(hosts) > 0 || r.on != "" && (len(hosts) != 1 || hosts[0] != r.on) || wrong(c.State, applied, false) || r.want != "" && c.State != r.want {
								t.Errorf("%s: POSTs to %v, %s, applied %t", what, hosts, states(c), applied)
							}
							w.net.heal()
							w.sim.Disarm()
							time.Sleep(time.Minute)
							if w.probe(); w.gateway.Health().OnBackup {
								t.Errorf("%s: the main host is up, and not asked", what)
							}
							ids = append(ids, id)
						}
						w.wrapUp(ids)
					})
				}
			})
		}
	})
	t.Logf("fail-over matrix: %d calls tried, %d double-sent, %d wrong final states, %d uncertain: %s, seed %d",
		sum.tried.Load(), sum.doubled.Load(), sum.wrong.Load(), sum.uncertain.Load(), sum.fate(), seed)
}
