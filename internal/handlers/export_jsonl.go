package handlers

import (
	"bufio"
	"encoding/json"
	"strings"
	"time"

	"correction-console/internal/correction"
)

// jsonlFile has an object on each line: a head, the rows, and an end with their number.
// Amounts are in fen, times are RFC 3339 in the zone, codes are left as they are.
type jsonlFile struct {
	w          *bufio.Writer
	enc        *json.Encoder
	zone       *time.Location
	checkpoint func() (correction.Checkpoint, error)
}

func newJSONL(w *bufio.Writer, zone *time.Location, checkpoint func() (correction.Checkpoint, error)) *jsonlFile {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &jsonlFile{w: w, enc: enc, zone: zone, checkpoint: checkpoint}
}

type jsonlHead struct {
	Kind       string `json:"kind"` // head
	Filter     string `json:"filter"`
	Page       string `json:"page"`
	Order      string `json:"order"`
	Zone       string `json:"zone"`
	ExportedBy string `json:"exported_by"`
	ExportedAt string `json:"exported_at"`
	Checkpoint string `json:"checkpoint"`
}

type jsonlEnd struct {
	Kind       string `json:"kind"` // end
	Rows       int    `json:"rows"`
	Checkpoint string `json:"checkpoint"`
}

type jsonlRow struct {
	Kind         string   `json:"kind"` // correction
	ID           int64    `json:"id"`
	PreparedAt   string   `json:"prepared_at"`
	OutOrderNo   string   `json:"out_order_no"`
	SubMchID     string   `json:"sub_mchid"`
	Merchant     string   `json:"merchant"`
	ServiceID    string   `json:"service_id"`
	Service      string   `json:"service"`
	Agent        string   `json:"agent"`
	AgentName    string   `json:"agent_name"`
	ReasonCode   string   `json:"reason_code"`
	ReasonZH     string   `json:"reason_zh"`
	ReasonEN     string   `json:"reason_en"`
	Reason       string   `json:"reason"` // that was sent
	Ticket       string   `json:"ticket"`
	Note         string   `json:"note"`
	BaseFen      int64    `json:"base_fen"`
	TargetFen    *int64   `json:"target_fen"` // null: who exports may not see it yet
	ReductionFen *int64   `json:"reduction_fen"`
	Permille     *int     `json:"reduction_permille"`
	State        string   `json:"state"`
	StateSince   string   `json:"state_since"`
	Approver     string   `json:"approver_name"`
	Review       string   `json:"review"`
	Flags        []string `json:"flags"`
	Devices      string   `json:"devices"`
	RequestID    string   `json:"request_id"`
}

func (f *jsonlFile) begin(h exportHead) error {
	c, err := f.checkpoint()
	if err != nil {
		return err
	}
	return f.enc.Encode(jsonlHead{
		Kind: "head", Filter: h.filter, Page: h.page, Order: h.order, Zone: h.zone, ExportedBy: h.by, ExportedAt: h.at.Format(time.RFC3339), Checkpoint: c.Note,
	})
}

func (f *jsonlFile) row(r *correction.Summary) error {
	var target, reduction *int64
	var permille *int
	if !r.Veiled() {
		t, d, p := int64(r.Target), int64(r.Reduction()), correction.Permille(r.Reduction(), r.BaseTotal)
		target, reduction, permille = &t, &d, &p
	}
	return f.enc.Encode(jsonlRow{
		Kind: "correction", ID: r.ID, PreparedAt: f.time(r.PreparedAt), OutOrderNo: r.Ref.OutOrderNo, SubMchID: r.Ref.SubMchID, Merchant: r.MerchantName,
		ServiceID: r.Ref.ServiceID, Service: r.ServiceName, Agent: r.AuthorLogin, AgentName: r.AuthorName,
		ReasonCode: r.Reason.Code, ReasonZH: r.Reason.ZH, ReasonEN: r.Reason.EN, Reason: r.Outgoing, Ticket: r.Ticket, Note: r.Note,
		BaseFen: int64(r.BaseTotal), TargetFen: target, ReductionFen: reduction, Permille: permille,
		State: string(r.State), StateSince: f.time(r.ChangedAt), Approver: r.ApproverName, Review: string(r.Review),
		Flags: append([]string{}, strings.Fields(r.Flags)...), Devices: r.Devices, RequestID: r.RequestID,
	})
}

func (f *jsonlFile) time(t time.Time) string { return t.In(f.zone).Format(time.RFC3339) }

func (f *jsonlFile) end(_ exportHead, rows int, c correction.Checkpoint) error {
	return f.enc.Encode(jsonlEnd{Kind: "end", Rows: rows, Checkpoint: c.Note})
}
