package bench

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/option"
	_ "modernc.org/sqlite"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
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

// BenchmarkConfirm compares one confirmed correction (three durable commits,
// re-query, modify, read-back) with a bare chain of the same operations: bare SQL
// on the same schema and a bare core.Client, alternated with it. Target: at most
// 1.25.
func BenchmarkConfirm(b *testing.B) {
	a := apptest.Start(b, apptest.Options{})
	ctx := context.Background()
	order, _ := a.Sim.Order(merchant, orderNo)
	r, err := a.Service.Gateway.Query(ctx, correction.Ref{SubMchID: merchant, OutOrderNo: orderNo})
	must(b, err)
	base := r.Order
	actor := correction.Actor{UserID: 1, Role: correction.Agent, Scope: correction.Scope{All: true}, SessionID: 1}

	// The bare side has a database of its own with the same schema, made by the
	// store, and writes to it with plain SQL.
	other := apptest.Start(b, apptest.Options{})
	bareStore := other.Store
	db, err := sql.Open("sqlite", "file:"+filepath.Join(other.Data, "console.db")+
		"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	must(b, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	cfg := a.Sim.Config()
	client := func(t *http.Transport) *core.Client {
		c, err := core.NewClient(ctx,
			option.WithWechatPayPublicKeyAuthCipher(cfg.MchID, cfg.CertSerial, cfg.PrivateKey, cfg.PublicKeyID, cfg.PublicKey),
			option.WithHTTPClient(&http.Client{Timeout: 20 * time.Second, Transport: t}))
		must(b, err)
		return c
	}
	queries, modifies := client(&http.Transport{}), client(&http.Transport{DisableKeepAlives: true})

	n := 0
	next := func(st interface {
		Prepare(context.Context, correction.Correction) (int64, error)
	}) (correction.Correction, int64) {
		n++
		o, simOrder := base, order
		o.OutOrderNo = fmt.Sprintf("CHAIN-%06d", n)
		simOrder.OutOrderNo = o.OutOrderNo
		a.Sim.Put(simOrder)
		o.OrderID = base.OrderID
		c := prepared(a.Service, o, correction.Request{
			SubMchID: o.SubMchID, ServiceID: o.ServiceID, Lines: o.Lines, Total: 9000,
			Reason: "经核实设备计费异常，已按实际使用情况调整金额。",
		}, 1)
		id, err := st.Prepare(ctx, c)
		must(b, err)
		return c, id
	}
	ours := func() float64 {
		c, id := next(a.Store)
		token := a.Service.Token(c)
		start := time.Now()
		if err := a.Service.Confirm(ctx, actor, id, token, ""); err != nil {
			b.Fatal(err)
		}
		took := time.Since(start)
		if got, _ := a.Store.Correction(ctx, id); got.State != correction.Applied {
			b.Fatalf("%s: %+v", got.State, got.Last().Detail)
		}
		return took.Seconds()
	}
	theirs := func() float64 {
		c, id := next(bareStore)
		start := time.Now()
		must(b, bareChain(ctx, db, queries, modifies, cfg.Host, c, id))
		return time.Since(start).Seconds()
	}
	ours()
	theirs()
	for b.Loop() {
		x, y, ratio := alternate(b, 150, func() (float64, float64) {
			if n%4 < 2 { // neither side always comes first
				y := theirs()
				return ours(), y
			}
			x := ours()
			return x, theirs()
		})
		b.ReportMetric(x*1000, "ms")
		b.ReportMetric(y*1000, "bare-ms")
		b.ReportMetric(ratio, "ratio")
	}
	b.ReportMetric(0, "ns/op")
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
