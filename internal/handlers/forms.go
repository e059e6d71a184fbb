package handlers

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
)

// errBadForm is a form that no page of the console posts.
var errBadForm = errors.New("bad form")

// postForm reads a posted form: from the body only, urlencoded only, each field at
// most once, and none but the allowed ones (product.md §6).
func postForm(c echo.Context, allowed func(string) bool) (url.Values, error) {
	return postFields(c, allowed, maxFields)
}

// postFields is postForm for a form with another number of fields.
func postFields(c echo.Context, allowed func(string) bool, most int) (url.Values, error) {
	r := c.Request()
	if r.URL.RawQuery != "" {
		return nil, fmt.Errorf("%w: a query string", errBadForm)
	}
	media, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
	if err != nil && r.ContentLength == 0 { // a button without fields
		return url.Values{}, nil
	}
	if err != nil || media != echo.MIMEApplicationForm {
		return nil, echo.NewHTTPError(http.StatusUnsupportedMediaType)
	}
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", errBadForm, err)
	}
	if len(r.PostForm) > most {
		return nil, fmt.Errorf("%w: %d fields", errBadForm, len(r.PostForm))
	}
	for name, values := range r.PostForm {
		if len(values) != 1 || !allowed(name) {
			return nil, fmt.Errorf("%w: field %q", errBadForm, name)
		}
	}
	return r.PostForm, nil
}

// maxList bounds how many values a repeated field may have.
const maxList = 200

// postList is postForm for a form in which one field may be there many times, with its
// values.
func postList(c echo.Context, list string, allowed func(string) bool) (url.Values, []string, error) {
	r := c.Request()
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, nil, err
		}
		return nil, nil, fmt.Errorf("%w: %w", errBadForm, err)
	}
	values := r.PostForm[list]
	if len(values) > maxList {
		return nil, nil, fmt.Errorf("%w: %d values of %q", errBadForm, len(values), list)
	}
	delete(r.PostForm, list)
	v, err := postForm(c, allowed)
	return v, values, err
}

// fields allows the named fields.
func fields(names ...string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

// The lists of a correction form, and the parts of a row.
const (
	listLines     = "post_payments"
	listDiscounts = "post_discounts"
)

var rowParts = []string{"name", "amount", "count", "description"}

// maxIndex bounds the numbers in field names.
const maxIndex = 9999

// rowField splits post_payments.3.amount.
func rowField(name string) (list string, index int, part string, ok bool) {
	list, rest, _ := strings.Cut(name, ".")
	number, part, _ := strings.Cut(rest, ".")
	if (list != listLines && list != listDiscounts) || !slices.Contains(rowParts, part) {
		return "", 0, "", false
	}
	index, ok = rowIndex(number)
	return list, index, part, ok
}

func rowIndex(number string) (int, bool) {
	n, err := strconv.Atoi(number)
	return n, err == nil && n >= 0 && n <= maxIndex && strconv.Itoa(n) == number
}

var formFields = fields("device.start_device_id", "device.end_device_id", "device.materiel_no",
	"total_amount", "reason_code", "reason", "ticket", "note", "base", "first", "no_device", "from", "do", typedBy)

// typedBy is the field that says for whom the page of a form was made: its tab may stay
// open while somebody else signs in.
const typedBy = "typed_by"

func correctionField(name string) bool {
	if _, _, _, ok := rowField(name); ok {
		return true
	}
	return formFields(name)
}

// decodeForm reads the fields of a correction form. Rows come in the order of
// their numbers; gaps are fine.
func decodeForm(v url.Values) correction.Form {
	rows := map[string]map[int]*correction.FormLine{listLines: {}, listDiscounts: {}}
	for name := range v {
		list, index, part, ok := rowField(name)
		if !ok {
			continue
		}
		row := rows[list][index]
		if row == nil {
			row = &correction.FormLine{Index: index}
			rows[list][index] = row
		}
		*rowPart(row, part) = v.Get(name)
	}
	return correction.Form{
		Lines: sorted(rows[listLines]), Discounts: sorted(rows[listDiscounts]),
		Device: correction.Device{
			Start: v.Get("device.start_device_id"), End: v.Get("device.end_device_id"), Materiel: v.Get("device.materiel_no"),
		},
		Total: v.Get("total_amount"), ReasonCode: v.Get("reason_code"), Reason: v.Get("reason"), Ticket: v.Get("ticket"),
		Note: v.Get("note"), Base: v.Get("base"), First: v.Get("first"), NoDevice: v.Get("no_device") != "",
	}
}

func rowPart(row *correction.FormLine, part string) *string {
	switch part {
	case "name":
		return &row.Name
	case "amount":
		return &row.Amount
	case "count":
		return &row.Count
	}
	return &row.Description
}

func sorted(rows map[int]*correction.FormLine) []correction.FormLine {
	out := make([]correction.FormLine, 0, len(rows))
	for _, r := range rows {
		out = append(out, *r)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Index < out[j].Index })
	return out
}

// encodeForm is the form as a browser posts it; drafts are kept like that.
func encodeForm(f correction.Form) url.Values {
	v := url.Values{}
	for list, rows := range map[string][]correction.FormLine{listLines: f.Lines, listDiscounts: f.Discounts} {
		for _, r := range rows {
			for _, part := range rowParts {
				v.Set(list+"."+strconv.Itoa(r.Index)+"."+part, *rowPart(&r, part))
			}
		}
	}
	for name, value := range map[string]string{
		"device.start_device_id": f.Device.Start, "device.end_device_id": f.Device.End, "device.materiel_no": f.Device.Materiel,
		"total_amount": f.Total, "reason_code": f.ReasonCode, "reason": f.Reason, "ticket": f.Ticket, "note": f.Note, "base": f.Base, "first": f.First,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if f.NoDevice {
		v.Set("no_device", "1")
	}
	return v
}

// Acts of the editor's buttons.
const (
	actRecompute   = "recompute"
	actAddLine     = "add-line"
	actAddDiscount = "add-discount"
	actDiscard     = "discard"
)

// edit carries out one of the editor's buttons on the form and returns the field
// to put the focus in.
func edit(f *correction.Form, base correction.Order, act string) (focus string, err error) {
	switch act {
	case actRecompute:
		return "", nil
	case actAddLine:
		return addRow(&f.Lines, listLines, len(base.Lines), correction.MaxLines)
	case actAddDiscount:
		return addRow(&f.Discounts, listDiscounts, len(base.Discounts), correction.MaxDiscounts)
	}
	verb, rest, _ := strings.Cut(act, "-")
	list, number, _ := strings.Cut(rest, "-")
	index, ok := rowIndex(number)
	rows, was := &f.Lines, base.Lines
	if list == listDiscounts {
		rows, was = &f.Discounts, base.Discounts
	}
	if !ok || (list != listLines && list != listDiscounts) {
		return "", fmt.Errorf("%w: do=%q", errBadForm, act)
	}
	at := slices.IndexFunc(*rows, func(r correction.FormLine) bool { return r.Index == index })
	switch {
	case verb == "remove":
		if at >= 0 {
			*rows = slices.Delete(*rows, at, at+1)
		}
		return "", nil
	case verb == "restore" && index < len(was):
		if at < 0 {
			back := correction.FormOf(correction.Order{Lines: was}, correction.Device{}).Lines[index]
			*rows = append(*rows, back)
			sort.Slice(*rows, func(i, j int) bool { return (*rows)[i].Index < (*rows)[j].Index })
		}
		return list + "." + number + ".amount", nil
	}
	return "", fmt.Errorf("%w: do=%q", errBadForm, act)
}

// addRow adds an empty row with a number that neither the order's lines nor the
// form's rows use.
func addRow(rows *[]correction.FormLine, list string, next, limit int) (focus string, err error) {
	for _, r := range *rows {
		next = max(next, r.Index+1)
	}
	if len(*rows) >= limit || next > maxIndex {
		return "", nil
	}
	*rows = append(*rows, correction.FormLine{Index: next})
	return list + "." + strconv.Itoa(next) + ".name", nil
}

// safeNext returns where to go after signing in: a path of this console, or "/"
// (trust.md §3.4).
func safeNext(next string) string {
	if len(next) < 1 || len(next) > 2048 || next[0] != '/' || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\t\r\n\x00") {
		return "/"
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, "\\") {
		return "/"
	}
	for _, r := range u.Path {
		if r < 0x20 || r == 0x7f {
			return "/"
		}
	}
	for _, known := range []string{"/orders", "/corrections", "/operations", "/account", "/settings"} {
		if u.Path == known || strings.HasPrefix(u.Path, known+"/") {
			return u.RequestURI()
		}
	}
	return "/"
}
