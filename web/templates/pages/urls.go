package pages

import (
	"net/url"
	"strconv"

	"correction-console/internal/correction"
)

// OrderURL is the page of an order. The service is not part of an order's
// address.
func OrderURL(r correction.Ref) string {
	return "/orders/" + url.PathEscape(r.SubMchID) + "/" + url.PathEscape(r.OutOrderNo)
}

// FormURL is the correction form of an order, and the address it posts to.
func FormURL(r correction.Ref) string { return OrderURL(r) + "/correction" }

// CorrectionURL is the page of a correction.
func CorrectionURL(id int64) string { return "/corrections/" + strconv.FormatInt(id, 10) }

// Addresses that a correction's buttons post to.
func confirmURL(id int64) string  { return CorrectionURL(id) + "/confirmation" }
func withdrawURL(id int64) string { return CorrectionURL(id) + "/withdrawal" }
func checkURL(id int64) string    { return CorrectionURL(id) + "/check" }
func resolveURL(id int64) string  { return CorrectionURL(id) + "/resolution" }
func approveURL(id int64) string  { return CorrectionURL(id) + "/approval" }
func returnURL(id int64) string   { return CorrectionURL(id) + "/return" }
func declineURL(id int64) string  { return CorrectionURL(id) + "/decline" }

// ApprovalsURL is the queue of what waits for a second person.
const ApprovalsURL = "/approvals"

// ApprovalURL is the queue with one of them open.
func ApprovalURL(id int64) string { return ApprovalsURL + "?id=" + strconv.FormatInt(id, 10) }

// BackToApprovals tells "check now" that its button is on the approvals page.
const BackToApprovals = "approvals"

// proofURL is a correction's proof as a file.
func proofURL(id int64) string { return CorrectionURL(id) + "/proof" }

// OperationsURL is the page that tells how the installation is doing.
const OperationsURL = "/operations"

// refOf is the reference of an order that was read.
func refOf(o correction.Order) correction.Ref {
	return correction.Ref{SubMchID: o.SubMchID, ServiceID: o.ServiceID, OutOrderNo: o.OutOrderNo}
}
