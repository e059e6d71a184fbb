package correction

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Device is where a service began and ended. WeChat never returns it
// (domain.md §9).
type Device struct {
	Start    string `json:"start_device_id,omitempty"`
	End      string `json:"end_device_id,omitempty"`
	Materiel string `json:"materiel_no,omitempty"` // a URL, despite the name
}

// Request is the body of the modify call, in the order of the documents.
type Request struct {
	ServiceID string
	SubMchID  string
	Lines     []Line
	Discounts []Line
	Total     Fen
	Reason    string
	Device    Device
	// ClearDiscounts sends an empty list where the order had discounts and the
	// correction has none: modify replaces them, and whether leaving the field out
	// clears them is not documented (domain.md §11.6).
	ClearDiscounts bool
}

type wireLine struct {
	Name        string `json:"name,omitempty"`
	Amount      *Fen   `json:"amount,omitempty"`
	Description string `json:"description,omitempty"`
	Count       int    `json:"count,omitempty"`
}

type wireRequest struct {
	ServiceID string      `json:"service_id,omitempty"`
	SubMchID  string      `json:"sub_mchid"`
	Lines     []wireLine  `json:"post_payments"`
	Discounts *[]wireLine `json:"post_discounts,omitempty"`
	Total     Fen         `json:"total_amount"`
	Reason    string      `json:"reason"`
	Device    *Device     `json:"device,omitempty"`
}

func toWire(lines []Line) []wireLine {
	out := make([]wireLine, len(lines))
	for i, l := range lines {
		out[i] = wireLine{Name: l.Name, Description: l.Description, Count: l.Count}
		if l.HasAmount {
			out[i].Amount = &lines[i].Amount
		}
	}
	return out
}

func fromWire(lines []wireLine) []Line {
	var out []Line
	for _, w := range lines {
		l := Line{Name: w.Name, Description: w.Description, Count: w.Count}
		if w.Amount != nil {
			l.Amount, l.HasAmount = *w.Amount, true
		}
		out = append(out, l)
	}
	return out
}

// Body is the one byte string that is stored, hashed, shown and sent. It holds no
// null, no unknown field and not the order number (domain.md §1.5).
func (r Request) Body() []byte {
	w := wireRequest{ServiceID: r.ServiceID, SubMchID: r.SubMchID, Lines: toWire(r.Lines), Total: r.Total, Reason: r.Reason}
	if len(r.Discounts) > 0 || r.ClearDiscounts {
		d := toWire(r.Discounts)
		w.Discounts = &d
	}
	if r.Device != (Device{}) {
		w.Device = &r.Device
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(w); err != nil { // strings and integers only: cannot fail
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// ParseBody reads back what Body wrote. Confirmation pages are rendered from it.
func ParseBody(body []byte) (Request, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	var w wireRequest
	if err := dec.Decode(&w); err != nil {
		return Request{}, fmt.Errorf("read stored body: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Request{}, errors.New("read stored body: data after its end")
	}
	r := Request{ServiceID: w.ServiceID, SubMchID: w.SubMchID, Lines: fromWire(w.Lines), Total: w.Total, Reason: w.Reason}
	if w.Discounts != nil {
		r.Discounts = fromWire(*w.Discounts)
		r.ClearDiscounts = len(r.Discounts) == 0
	}
	if w.Device != nil {
		r.Device = *w.Device
	}
	return r, nil
}
