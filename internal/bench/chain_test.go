package bench

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/option"
	_ "modernc.org/sqlite"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
	"correction-console/internal/wechat/simulator"
)

// prepared is a correction of the order as Service.Prepare stores it.
func prepared(s *correction.Service, o correction.Order, req correction.Request, author int64) correction.Correction {
	now := time.Now()
	_, base := o.Snapshot()
	c := correction.Correction{
		Ref:  correction.Ref{SubMchID: o.SubMchID, ServiceID: o.ServiceID, OutOrderNo: o.OutOrderNo},
		Base: o, BaseSHA256: base, Target: req.Total, Body: req.Body(),
		Reason: correction.DefaultReasons[int(author)%4], AuthorID: author, SessionID: 1,
		PreparedAt: now, ConfirmUntil: now.Add(10 * time.Minute), ConfirmNonce: make([]byte, 16),
	}
	c.Reason.Outgoing = req.Reason
	sum := sha256.Sum256(fmt.Append(nil, o.OutOrderNo, now.UnixNano()))
	copy(c.ConfirmNonce, sum[:])
	c.BodySHA256 = sha256.Sum256(c.Body)
	c.ConfirmHash = sha256.Sum256([]byte(s.Token(c)))
	c.Events = []correction.Event{{N: 1, State: correction.Prepared, At: now, ActorID: author, SessionID: 1}}
	return c
}

// chains are the two sides of the benchmarks of a confirmation: the console, and a
// bare chain of the same operations with bare SQL on the same schema and a bare
// core.Client.
type chains struct {
	a                 *apptest.App
	actor             correction.Actor
	base              correction.Order
	order             simulator.Order
	bareStore         *sqlite.Store
	db                *sql.DB
	queries, modifies *core.Client
	n                 int
}

func newChains(b *testing.B) *chains {
	x := &chains{a: apptest.Start(b, apptest.Options{})}
	ctx := context.Background()
	x.order, _ = x.a.Sim.Order(merchant, orderNo)
	r, err := x.a.Service.Gateway.Query(ctx, correction.Ref{SubMchID: merchant, OutOrderNo: orderNo})
	must(b, err)
	x.base = r.Order
	x.actor = correction.Actor{UserID: 1, Role: correction.Agent, Scope: correction.Scope{All: true}, SessionID: 1}

	// The bare side has a database of its own with the same schema, made by the
	// store, and writes to it with plain SQL.
	other := apptest.Start(b, apptest.Options{})
	x.bareStore = other.Store
	x.db, err = sql.Open("sqlite", "file:"+filepath.Join(other.Data, "console.db")+
		"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	must(b, err)
	b.Cleanup(func() { x.db.Close() })
	x.db.SetMaxOpenConns(1)
	cfg := x.a.Sim.Config()
	client := func(t *http.Transport) *core.Client {
		t.MaxIdleConnsPerHost = 64
		c, err := core.NewClient(ctx,
			option.WithWechatPayPublicKeyAuthCipher(cfg.MchID, cfg.CertSerial, cfg.PrivateKey, cfg.PublicKeyID, cfg.PublicKey),
			option.WithHTTPClient(&http.Client{Timeout: 20 * time.Second, Transport: t}))
		must(b, err)
		return c
	}
	x.queries, x.modifies = client(&http.Transport{}), client(&http.Transport{DisableKeepAlives: true})
	return x
}

// next prepares a correction of an order of its own.
func (x *chains) next(b *testing.B, st *sqlite.Store) correction.Correction {
	x.n++
	o, simOrder := x.base, x.order
	o.OutOrderNo = fmt.Sprintf("CHAIN-%06d", x.n)
	simOrder.OutOrderNo = o.OutOrderNo
	x.a.Sim.Put(simOrder)
	c := prepared(x.a.Service, o, correction.Request{
		SubMchID: o.SubMchID, ServiceID: o.ServiceID, Lines: o.Lines, Total: 9000,
		Reason: "经核实设备计费异常，已按实际使用情况调整金额。",
	}, 1)
	var err error
	c.ID, err = st.Prepare(context.Background(), c)
	must(b, err)
	return c
}

func (x *chains) confirm(c correction.Correction) error {
	return x.a.Service.Confirm(context.Background(), x.actor, c.ID, x.a.Service.Token(c), "")
}

func (x *chains) bare(c correction.Correction) error {
	return bareChain(context.Background(), x.db, x.queries, x.modifies, x.a.Sim.URL, c, c.ID)
}

// atOnce carries out so many corrections at the same time and returns how many a
// second that is.
func (x *chains) atOnce(b *testing.B, n int, st *sqlite.Store, carryOut func(correction.Correction) error) float64 {
	list := make([]correction.Correction, n)
	for i := range list {
		list[i] = x.next(b, st)
	}
	errs := make([]error, n)
	var all sync.WaitGroup
	start := time.Now()
	for i, c := range list {
		all.Go(func() { errs[i] = carryOut(c) })
	}
	all.Wait()
	took := time.Since(start)
	must(b, errors.Join(errs...))
	for _, c := range list {
		if got, err := st.Correction(context.Background(), c.ID); err != nil || got.State != correction.Applied {
			b.Fatalf("%s %v: %+v", got.State, err, got.Last().Detail)
		}
	}
	return float64(n) / took.Seconds()
}

// BenchmarkConfirm compares one confirmed correction (three durable commits, the
// journal, re-query, modify, read-back) with a bare chain, alternated with it.
// Target: at most 1.25.
func BenchmarkConfirm(b *testing.B) {
	x := newChains(b)
	ours := func() float64 { return 1 / x.atOnce(b, 1, x.a.Store, x.confirm) }
	theirs := func() float64 { return 1 / x.atOnce(b, 1, x.bareStore, x.bare) }
	ours()
	theirs()
	for b.Loop() {
		mine, bare, ratio := alternate(b, 150, inTurn(ours, theirs))
		b.ReportMetric(mine*1000, "ms")
		b.ReportMetric(bare*1000, "bare-ms")
		b.ReportMetric(ratio, "ratio")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkConfirmAtOnce compares the rate of 64 confirmed corrections at once with
// that of 64 bare chains at once, alternated. Target: at least 0.85.
func BenchmarkConfirmAtOnce(b *testing.B) {
	x := newChains(b)
	const n = 64
	ours := func() float64 { return x.atOnce(b, n, x.a.Store, x.confirm) }
	theirs := func() float64 { return x.atOnce(b, n, x.bareStore, x.bare) }
	ours()
	theirs()
	for b.Loop() {
		mine, bare, ratio := alternate(b, 20, inTurn(ours, theirs))
		b.ReportMetric(mine, "corrections/s")
		b.ReportMetric(bare, "bare/s")
		b.ReportMetric(ratio, "ratio")
	}
	b.ReportMetric(0, "ns/op")
}

// inTurn runs two sides so that neither always comes first.
func inTurn(ours, theirs func() float64) func() (float64, float64) {
	n := 0
	return func() (float64, float64) {
		if n++; n%2 == 0 {
			y := theirs()
			return ours(), y
		}
		x := ours()
		return x, theirs()
	}
}

func bareChain(ctx context.Context, db *sql.DB, queries, modifies *core.Client, host string, c correction.Correction, id int64) error {
	tx := func(statements ...func(*sql.Tx) error) error {
		t, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer t.Rollback()
		for _, f := range statements {
			if err := f(t); err != nil {
				return err
			}
		}
		return t.Commit()
	}
	exec := func(query string, args ...any) func(*sql.Tx) error {
		return func(t *sql.Tx) error {
			_, err := t.ExecContext(ctx, query, args...)
			return err
		}
	}
	event := func(n int, state string, detail any) func(*sql.Tx) error {
		text, _ := json.Marshal(detail)
		return exec("INSERT INTO event (correction_id, n, state, at_ms, actor, session_row, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
			id, n, state, time.Now().UnixMilli(), 1, 1, string(text))
	}
	address := host + "/v3/payscore/partner/serviceorder"
	query := address + "?" + url.Values{"sub_mchid": {c.Ref.SubMchID}, "service_id": {c.Ref.ServiceID}, "out_order_no": {c.Ref.OutOrderNo}}.Encode()
	read := func() (map[string]any, error) {
		res, err := queries.Get(ctx, query)
		if err != nil {
			return nil, err
		}
		var order map[string]any
		return order, core.UnMarshalResponse(res.Response, &order)
	}
	// What a confirmation needs to know is read here too.
	var state string
	if err := db.QueryRowContext(ctx, "SELECT state FROM correction_now WHERE correction_id = ?", id).Scan(&state); err != nil {
		return err
	}
	if err := tx(exec("INSERT INTO claim (sub_mchid, out_order_no, correction_id) VALUES (?, ?, ?)", c.Ref.SubMchID, c.Ref.OutOrderNo, id),
		event(2, "claimed", map[string]any{})); err != nil {
		return err
	}
	if _, err := read(); err != nil {
		return err
	}
	if err := tx(exec("INSERT INTO send (correction_id, sign_ms, nonce, boot_id, mono_ms) VALUES (?, ?, ?, ?, ?)", id, time.Now().UnixMilli(), "n", "b", 1),
		event(3, "sending", map[string]any{"sign_ms": 1})); err != nil {
		return err
	}
	if _, err := modifies.Post(ctx, address+"/"+url.PathEscape(c.Ref.OutOrderNo)+"/modify", c.Body); err != nil {
		return err
	}
	after, err := read()
	if err != nil {
		return err
	}
	return tx(event(4, "applied", map[string]any{"class": "accepted", "reading": after}))
}
