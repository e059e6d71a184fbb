package correction

import (
	"errors"
	"fmt"
	"time"
)

// Kind sorts errors by what a page must answer.
type Kind int

// Kinds of errors.
const (
	Internal    Kind = iota // ours: 500
	Invalid                 // what was asked makes no sense: 422
	NotFound                // 404, also for what is out of scope
	Conflict                // somebody or something was faster: 409
	Forbidden               // 403
	Upstream                // WeChat answered and refused: 502
	Unavailable             // WeChat or the store cannot be reached: 503
	TooFast                 // somebody asks for more than their share: 429, with Wait
)

// Error is an error with a kind and a stable code that pages have words for.
type Error struct {
	Kind Kind
	Code string
	Err  error // cause, for the log only; may be nil

	Concern Concern       // set with CodeReadOnly: why corrections are refused
	Holder  *Holder       // set with CodeBusy: who holds the order; with CodeDecided: who decided
	Remote  *Remote       // set when WeChat answered
	Wait    time.Duration // with TooFast: until one may try again
	Amount  string        // set with CodeBeyondBound: the amount in words for people
}

// Codes of errors that pages have words for.
const (
	CodeNotFound       = "not_found"
	CodeForbidden      = "forbidden"
	CodeBusy           = "busy"         // another correction of the order is open
	CodeTokenUsed      = "token_used"   // this correction is no longer to be confirmed
	CodeTokenWrong     = "token_wrong"  // the confirmation token does not belong to it
	CodeTypedTotal     = "typed_total"  // the typed total is missing or not the new total
	CodeExpired        = "expired"      // the ten minutes are over
	CodeBaseUnknown    = "base_unknown" // the form's base was never shown by this console
	CodeOrderMoved     = "order_moved"  // the order is no longer what the form was opened on
	CodeNotCorrecting  = "not_correctable"
	CodeUnreachable    = "unreachable"     // WeChat could not be reached; nothing was sent
	CodeRefused        = "refused"         // WeChat answered with an error
	CodeUnreadable     = "unreadable"      // an answer that is not one of WeChat's API
	CodeBeyondBound    = "beyond_bound"    // an amount that no order can have: negative, or far above MaxAmount
	CodeUnverified     = "unverified"      // an answer whose signature does not hold
	CodeNoRecord       = "no_record"       // the record cannot be written: nothing is sent
	CodeOutcomePending = "outcome_pending" // sent; the outcome is not on record yet
	CodeBadSettings    = "bad_settings"    // WeChat refuses our key, certificate or number
	CodeReadOnly       = "read_only"       // corrections are refused at present; Concern: why
	CodeNeedsText      = "needs_text"      // a text is missing, too long, or holds what it may not
	CodeSecondPerson   = "second_person"   // needs a person who has had no part in it yet
	CodeDecided        = "decided"         // somebody decided about the approval already; Holder: who and when
	CodeOtherTier      = "other_tier"      // others decide about amounts like this
	CodeOverOwnLimit   = "over_own_limit"  // above what the approver may give up alone
	CodeTriesUsed      = "tries_used"      // the person typed MaxTries wrong totals about it
	CodeVeiled         = "veiled"          // it tells an amount that the person may not see yet
	CodeOwnApproval    = "own_approval"    // the person approved it, and somebody else could check it
	CodeEdited         = "edited"          // somebody edited the setting meanwhile
	CodeRetried        = "retried"         // somebody is trying this correction again already
	CodeReviewed       = "reviewed"        // somebody said something of the correction meanwhile; Holder: who and when
	CodeNotFinal       = "not_final"       // only what came to its end is reviewed
	CodeNoMark         = "no_mark"         // a review says fine, queried, wrong or answered
	CodeNonePicked     = "none_picked"
	CodeDayOpen        = "day_open"    // something of the day is open
	CodeDayClosed      = "day_closed"  // somebody closed or reopened the day meanwhile; Holder: who and when
	CodeDayAhead       = "day_ahead"   // the day has not come
	CodeWholeScope     = "whole_scope" // what is of all merchants takes somebody who may touch them all
	CodeWaiting        = "waiting"     // another edit that loosens waits for a second supervisor
	CodeAuthorGone     = "author_gone" // who made the edit may not make it any more
	CodeFilterName     = "view_name"   // a saved filter needs a name, short and without line breaks
	CodeFilterTaken    = "view_taken"  // the person has a saved filter of that name already
	CodeDraftLarge     = "draft_large" // what was typed is larger than any form may be
	CodeTooFast        = "too_fast"    // more look-ups than a person has
	CodeTooMany        = "too_many"    // more of other acts than a person has
	CodeSearching      = "searching"   // too many look-ups without a merchant at this moment
	CodeFiltersFull    = "views_full"  // the person has as many saved filters as one may have
)

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Code, e.Err)
	}
	return e.Code
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err, Internal when it carries none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// CodeOf returns the code of err, empty when it carries none.
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func fail(kind Kind, code string, cause error) *Error {
	return &Error{Kind: kind, Code: code, Err: cause}
}
