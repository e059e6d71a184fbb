package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"modernc.org/sqlite"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

// query is a text of SQL with its arguments.
type query struct {
	text strings.Builder
	args []any
}

func (q *query) add(text string, args ...any) {
	q.text.WriteString(text)
	q.args = append(q.args, args...)
}

// finalStates are those of corrections that came to their end, as JSON.
var finalStates = func() string {
	var list []correction.State
	for _, s := range correction.States {
		if s.Final() {
			list = append(list, s)
		}
	}
	text, err := json.Marshal(list)
	if err != nil { // strings only: cannot fail
		panic(err)
	}
	return string(text)
}()

// conditions writes what the filter asks of a correction c that stands as w says, whose
// author is u, merchant m and service o: the exact meaning of a filter, whichever way
// the rows are found.
func (n narrowed) conditions(q *query) {
	and := func(text string, args ...any) { q.add(` AND `+text, args...) }
	if !n.all {
		list, err := json.Marshal(n.merchants)
		if err != nil { // strings only: cannot fail
			panic(err)
		}
		and(`c.sub_mchid IN (SELECT value FROM json_each(?))`, string(list))
	}
	if n.OutOrderNo != "" {
		and(`c.out_order_no = ?`, n.OutOrderNo)
	}
	if n.ServiceID != "" {
		and(`c.service_id = ?`, n.ServiceID)
	}
	if n.AuthorID != 0 {
		and(`c.author = ?`, n.AuthorID)
	}
	if n.Agent != "" {
		and(`c.author = (SELECT id FROM user WHERE username = ?)`, n.Agent)
	}
	if n.ReasonCode != "" {
		and(`c.reason_code = ?`, n.ReasonCode)
	}
	if !n.From.IsZero() {
		and(`c.prepared_ms >= ?`, millis(n.From))
	}
	if !n.To.IsZero() {
		and(`c.prepared_ms < ?`, millis(n.To))
	}
	if n.MinReduction != nil {
		and(`c.base_total - c.target_total >= ?`, int64(*n.MinReduction))
	}
	if n.MaxReduction != nil {
		and(`c.base_total - c.target_total <= ?`, int64(*n.MaxReduction))
	}
	if n.MinPermille != nil {
		and(`(c.base_total - c.target_total) * 1000 >= ? * c.base_total`, *n.MinPermille)
	}
	if n.MaxPermille != nil {
		and(`(c.base_total - c.target_total) * 1000 <= ? * c.base_total`, *n.MaxPermille)
	}
	switch n.State {
	case "":
	case changelog.AnyEffective:
		and(`w.state IN ('applied', 'applied_late')`)
	default:
		and(`w.state = ?`, string(n.State))
	}
	switch n.Review {
	case "":
	case correction.ReviewNone:
		and(`w.review = '' AND w.state IN (SELECT value FROM json_each(?))`, finalStates)
	default:
		and(`w.review = ?`, n.Review)
	}
	if n.Approver != "" {
		and(`w.approver = (SELECT id FROM user WHERE username = ?)`, n.Approver)
	}
	if n.Flag != "" {
		and(`EXISTS (SELECT 1 FROM flag WHERE code = ? AND correction_id = c.id)`, n.Flag)
	}
	if n.Device != "" {
		and(`EXISTS (SELECT 1 FROM device WHERE device_id = ? AND correction_id = c.id)`, n.Device)
	}
	if n.kept.hide && len(n.kept.ids) > 0 {
		and(`c.id NOT IN (SELECT value FROM json_each(?))`, jsonIDs(n.kept.ids))
	}
	n.wordConditions(q)
}

// wordConditions adds the condition that all words are found.
func (n narrowed) wordConditions(q *query) {
	and := func(text string, args ...any) { q.add(` AND `+text, args...) }
	if len(n.words) > 0 && len(n.kept.ids) > 0 {
		// In what is kept, words are found as far as they are shown.
		own := func(i int, column string) string {
			return `COALESCE(kept.texts ->> ('$."' || c.id || '"[` + strconv.Itoa(i) + `]'), ` + column + `)`
		}
		and(`(SELECT matches(?, c.id, `+own(0, `c.outgoing`)+`, c.reason_zh, c.reason_en, `+own(2, `c.note`)+`, `+own(1, `c.ticket`)+`, c.out_order_no, c.sub_mchid, m.name, c.service_id, o.name, u.username, u.name,
			(SELECT group_concat(device_id, char(10)) FROM device INDEXED BY device_correction WHERE correction_id = c.id)) FROM (SELECT ? AS texts) kept)`,
			strings.Join(n.words, " "), n.kept.texts)
	} else if len(n.words) > 0 {
		and(`matches(?, c.id, c.outgoing, c.reason_zh, c.reason_en, c.note, c.ticket, c.out_order_no, c.sub_mchid, m.name, c.service_id, o.name, u.username, u.name,
			(SELECT group_concat(device_id, char(10)) FROM device INDEXED BY device_correction WHERE correction_id = c.id))`, strings.Join(n.words, " "))
	}
}

// order is the order of a page.
func order(p changelog.Page) string {
	by := `c.id DESC`
	if p.Sort == changelog.ByReduction {
		by = `c.base_total - c.target_total DESC, c.id DESC`
	}
	if p.After > 0 {
		return strings.ReplaceAll(by, "DESC", "ASC")
	}
	return by
}

// beyond writes where a page begins.
func beyond(q *query, p changelog.Page) {
	switch {
	case p.Sort == changelog.ByReduction && p.After > 0:
		q.add(` AND (c.base_total - c.target_total, c.id) > (?, ?)`, int64(p.Edge), p.After)
	case p.Sort == changelog.ByReduction && p.Before > 0:
		q.add(` AND (c.base_total - c.target_total, c.id) < (?, ?)`, int64(p.Edge), p.Before)
	case p.After > 0:
		q.add(` AND c.id > ?`, p.After)
	case p.Before > 0:
		q.add(` AND c.id < ?`, p.Before)
	}
}

// filterJoins are what conditions need beside c.
const filterJoins = `
	JOIN correction_now w ON w.correction_id = c.id
	LEFT JOIN user u ON u.id = c.author
	LEFT JOIN merchant m ON m.sub_mchid = c.sub_mchid
	LEFT JOIN offering o ON o.service_id = c.service_id`

// matches is the function of that name in queries: whether every word of the first
// argument occurs in one of the others. A number is found by the whole of it.
func matches(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	asked, _ := args[0].(string)
	texts := make([]string, 0, len(args))
	number := ""
	for _, a := range args[1:] {
		switch a := a.(type) {
		case string:
			texts = append(texts, fold(a))
		case int64:
			number = strconv.FormatInt(a, 10)
		}
	}
	for word := range strings.FieldsSeq(asked) {
		if word != number && !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, word) }) {
			return int64(0), nil
		}
	}
	return int64(1), nil
}
