package sqlite

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

// plan is how a filter is answered. What pages, counts and exports read comes from it
// alone. Corrections are narrowed down by the index; where that does not say enough, rows
// are looked at, by narrowed.conditions.
type plan struct {
	narrowed
	none bool // nothing is selected

	list     []int64 // ascending: nothing else is selected
	listed   bool
	facets   []alternatives // all must hold
	measures []measured
	from, to int64 // ids; to is exclusive
	// Between these ids, the dates hold for certain.
	sureFrom, sureTo int64

	only map[string][]int64 // kind → facets that the filter leaves; none listed: all

	match   string  // of the search index
	loose   bool    // what it finds must be looked at
	numbers []int64 // words that are numbers of corrections
}

// alternatives are the numbers of facets of which one must hold.
type alternatives struct {
	any     []int64
	lasting bool
}

// measured is what a measure says of each of its bytes.
type measured struct {
	key int64
	of  [256]verdict
}

type verdict uint8

const (
	no verdict = iota
	yes
	perhaps
)

// mostFen is the largest amount that a record can hold.
const mostFen = 99_999_999_999

// narrowList is up to how many corrections of a narrow range of amounts are listed.
const narrowList = 4000

func newPlan(ctx context.Context, r moment, d *directory, n narrowed) (*plan, error) {
	if err := n.keep(ctx, r); err != nil {
		return nil, err
	}
	p := &plan{narrowed: n, to: 1<<62 - 1, sureTo: 1<<62 - 1}
	p.narrow(d, n)
	p.measure(n)
	if p.none {
		return p, nil
	}
	if err := p.lists(ctx, r, n); err != nil || p.none {
		return p, err
	}
	if err := p.dates(ctx, r); err != nil || p.none {
		return p, err
	}
	p.text(d)
	return p, nil
}

// narrow adds the conditions on what a correction has as a whole.
func (p *plan) narrow(d *directory, n narrowed) {
	one := func(kind, value string, lasting bool) {
		if number, ok := d.facets[kind][value]; ok {
			p.facets = append(p.facets, alternatives{[]int64{number}, lasting})
			p.restrict(kind, []int64{number})
		} else {
			p.none = true
		}
	}
	person := func(kind, login string, lasting bool) {
		if id, ok := d.logins[login]; ok {
			one(kind, strconv.FormatInt(id, 10), lasting)
		} else {
			p.none = true
		}
	}
	some := func(kind string, lasting bool, which func(value string) bool) {
		a := alternatives{lasting: lasting}
		for value, number := range d.facets[kind] {
			if which(value) {
				a.any = append(a.any, number)
			}
		}
		slices.Sort(a.any)
		switch {
		case len(a.any) == 0:
			p.none = true
		case !lasting || len(a.any) < len(d.facets[kind]): // every correction has one of each lasting kind
			p.facets = append(p.facets, a)
			p.restrict(kind, a.any)
		}
	}
	if n.AuthorID != 0 {
		one(facetAuthor, strconv.FormatInt(n.AuthorID, 10), true)
	}
	if n.Agent != "" {
		person(facetAuthor, n.Agent, true)
	}
	if n.ServiceID != "" {
		one(facetService, n.ServiceID, true)
	}
	if n.Flag != "" {
		one(facetFlag, n.Flag, false)
	}
	if n.Approver != "" {
		person(facetApprover, n.Approver, false)
	}
	if n.Review != "" {
		one(facetReview, n.Review, false)
	}
	if n.ReasonCode != "" {
		some(facetReason, true, func(v string) bool { return strings.HasPrefix(v, n.ReasonCode+"\x00") })
	}
	if !n.all {
		set := make(map[string]bool, len(n.merchants))
		for _, m := range n.merchants {
			set[m] = true
		}
		some(facetMerchant, true, func(v string) bool { return set[v] })
	}
	switch {
	case n.State == changelog.AnyEffective:
		some(facetState, false, func(v string) bool { return correction.State(v).Effective() })
	case n.State.Final() && n.State != "":
		one(facetState, string(n.State), false)
	}
}

// restrict notes that a correction has one of these facets of a kind.
func (p *plan) restrict(kind string, numbers []int64) {
	if p.only == nil {
		p.only = map[string][]int64{}
	}
	if had, ok := p.only[kind]; ok {
		numbers = slices.DeleteFunc(slices.Clone(numbers), func(n int64) bool { return !slices.Contains(had, n) })
		p.none = p.none || len(numbers) == 0
	}
	p.only[kind] = numbers
}

// lists looks up what few corrections have.
func (p *plan) lists(ctx context.Context, r moment, n narrowed) error {
	only := func(text string, args ...any) error {
		ids, err := r.ids(ctx, text, args...)
		if err != nil {
			return err
		}
		slices.Sort(ids)
		if p.listed {
			ids = slices.DeleteFunc(ids, func(id int64) bool {
				_, ok := slices.BinarySearch(p.list, id)
				return !ok
			})
		}
		p.list, p.listed, p.none = ids, true, len(ids) == 0
		return nil
	}
	if n.OutOrderNo != "" {
		if err := only(`SELECT id FROM correction INDEXED BY correction_order WHERE out_order_no = ?`, n.OutOrderNo); err != nil {
			return err
		}
	}
	if n.Device != "" && !p.none {
		if err := only(`SELECT correction_id FROM device WHERE device_id = ?`, n.Device); err != nil {
			return err
		}
	}
	if n.State != "" && n.State != changelog.AnyEffective && !n.State.Final() && !p.none {
		if err := only(`SELECT correction_id FROM correction_now INDEXED BY correction_now_state WHERE state = ?`, string(n.State)); err != nil {
			return err
		}
	}
	if a, b := n.MinReduction, n.MaxReduction; a != nil && b != nil && !p.listed && amountCode(int64(*b))-amountCode(int64(*a)) <= 1 {
		ids, err := r.ids(ctx, `SELECT id FROM correction INDEXED BY correction_reduction WHERE base_total - target_total BETWEEN ? AND ? LIMIT ?`, int64(*a), int64(*b), narrowList+1)
		if err != nil {
			return err
		}
		if len(ids) <= narrowList {
			slices.Sort(ids)
			p.list, p.listed, p.none = ids, true, len(ids) == 0
		}
	}
	return nil
}

// measure works out which bytes of the measures are in the ranges of the filter.
func (p *plan) measure(n narrowed) {
	if n.MinReduction != nil || n.MaxReduction != nil {
		low, high := int64(1), int64(mostFen)
		if n.MinReduction != nil {
			low = max(low, int64(*n.MinReduction))
		}
		if n.MaxReduction != nil {
			high = min(high, int64(*n.MaxReduction))
		}
		if low > high {
			p.none = true
			return
		}
		m := measured{key: measureMoney}
		a, b := amountCode(low), amountCode(high)
		for code := a; code <= b; code++ {
			m.of[code] = yes
		}
		if a%2 == 1 && (a < 3 || low > amountEdges[a/2-1]+1) {
			m.of[a] = perhaps
		}
		if b%2 == 1 && (b/2 >= len(amountEdges) || high < amountEdges[b/2]-1) {
			m.of[b] = perhaps
		}
		p.measures = append(p.measures, m)
	}
	if n.MinPermille != nil || n.MaxPermille != nil {
		low, high := 0, 1000
		if n.MinPermille != nil {
			low = max(low, *n.MinPermille)
		}
		if n.MaxPermille != nil {
			high = min(high, *n.MaxPermille)
		}
		if low > high {
			p.none = true
			return
		}
		m := measured{key: measureShare}
		// Of a whole percent the byte is odd, of what lies between two it is even.
		code := func(permille int) int {
			if permille%10 == 0 {
				return 1 + permille/10*2
			}
			return 2 + permille/10*2
		}
		a, b := code(low), code(high)
		for code := a; code <= b; code++ {
			m.of[code] = yes
		}
		for _, end := range []int{a, b} {
			if end%2 == 0 {
				m.of[end] = perhaps
			}
		}
		p.measures = append(p.measures, m)
	}
}

// dates turns the dates into ids.
func (p *plan) dates(ctx context.Context, r moment) error {
	if !p.From.IsZero() {
		from := millis(p.From)
		first, err := r.number(ctx, `SELECT block FROM stretch WHERE reach_ms >= ? ORDER BY reach_ms, block LIMIT 1`, from)
		if err != nil {
			return err
		}
		sure, err := r.number(ctx, `SELECT block FROM stretch WHERE since_ms >= ? ORDER BY since_ms, block LIMIT 1`, from)
		if err != nil {
			return err
		}
		if !first.Valid {
			p.none = true
			return nil
		}
		p.from, p.sureFrom = first.Int64*stretchSpan, p.to
		if sure.Valid {
			p.sureFrom = sure.Int64 * stretchSpan
		}
	}
	if !p.To.IsZero() {
		to := millis(p.To)
		last, err := r.number(ctx, `SELECT block FROM stretch WHERE since_ms < ? ORDER BY since_ms DESC, block DESC LIMIT 1`, to)
		if err != nil {
			return err
		}
		sure, err := r.number(ctx, `SELECT block FROM stretch WHERE reach_ms < ? ORDER BY reach_ms DESC, block DESC LIMIT 1`, to)
		if err != nil {
			return err
		}
		if !last.Valid {
			p.none = true
			return nil
		}
		p.to, p.sureTo = (last.Int64+1)*stretchSpan, 0
		if sure.Valid {
			p.sureTo = (sure.Int64 + 1) * stretchSpan
		}
	}
	p.none = p.none || p.from >= p.to
	return nil
}

// mostAlternatives bounds how many facets are put into a query of the search index.
const mostAlternatives = 64

func quoted(piece string) string { return `"` + piece + `"` }

func anyFacet(numbers []int64) string {
	list := make([]string, len(numbers))
	for i, n := range numbers {
		list[i] = quoted(facetPiece(n))
	}
	return strings.Join(list, " OR ")
}

// text writes the query of the search index: of each word its pieces, or a lasting facet
// whose name, as it is now, has it.
func (p *plan) text(d *directory) {
	var all []string
	for _, word := range p.words {
		has := func(texts ...string) bool {
			return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(fold(text), word) })
		}
		var numbers []int64
		always := false
		for kind, text := range map[string]func(value string) bool{
			facetMerchant: func(v string) bool { return has(v, d.merchant[v].Name) },
			facetService:  func(v string) bool { return has(v, d.offering[v].Name) },
			facetAuthor: func(v string) bool {
				id, err := strconv.ParseInt(v, 10, 64)
				a := d.people[id]
				return err == nil && has(a.Login, a.Name)
			},
			facetReason: func(v string) bool {
				_, texts, _ := strings.Cut(v, "\x00")
				zh, en, _ := strings.Cut(texts, "\x00")
				return has(zh, en)
			},
		} {
			only, restricted := p.only[kind]
			found, of := 0, 0
			for value, number := range d.facets[kind] {
				if restricted && !slices.Contains(only, number) {
					continue
				}
				if of++; text(value) {
					numbers = append(numbers, number)
					found++
				}
			}
			always = always || found > 0 && found == of
		}
		if id, err := strconv.ParseInt(word, 10, 64); err == nil && id > 0 && strconv.FormatInt(id, 10) == word {
			p.numbers = append(p.numbers, id)
		}
		if always { // every correction has it
			continue
		}
		pieces, exact := wordPieces(word)
		for i := range pieces {
			pieces[i] = quoted(pieces[i])
		}
		text := strings.Join(pieces, " AND ")
		if len(numbers) > 0 {
			slices.Sort(numbers)
			text = "((" + text + ") OR " + anyFacet(numbers) + ")"
		}
		all = append(all, text)
		p.loose = p.loose || !exact
	}
	if len(all) == 0 {
		p.numbers = nil
		return
	}
	rest := p.facets[:0:0]
	for _, f := range p.facets {
		if !f.lasting || len(f.any) > mostAlternatives {
			rest = append(rest, f)
			continue
		}
		all = append(all, "("+anyFacet(f.any)+")")
	}
	p.facets, p.match = rest, strings.Join(all, " AND ")
}

// plain reports whether the index has nothing to say but for ids.
func (p *plan) plain() bool {
	return !p.listed && len(p.facets) == 0 && len(p.measures) == 0 && p.match == ""
}
