package wechat

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"correction-console/internal/correction"
)

// Limits, in characters, of what is kept of WeChat's words.
const (
	maxMessage   = 300
	maxRequestID = 128
)

// Request-ids end in WeChat's internal number of the error (domain.md §1.3).
const tailCharging = "-271316754"

// errorCode is the form of WeChat's error codes. The answers of proxies that happen
// to be JSON with a code rarely look like it.
var errorCode = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$`)

// spaceless removes the blanks that WeChat's documents print inside error names.
func spaceless(s string) string { return strings.Join(strings.Fields(s), "") }

// remote reads what an error answer says. Code is empty when the body is not an
// error of WeChat's API.
func (r reply) remote() correction.Remote {
	m := correction.Remote{Status: r.status, RequestID: r.requestID}
	if r.status < 300 || r.failure != nil {
		return m
	}
	e, err := parse(r.body)
	if err != nil {
		return m
	}
	name, _ := e["code"].(string)
	message, _ := e["message"].(string)
	if code := spaceless(name); len(code) <= 64 && errorCode.MatchString(code) {
		m.Code, m.Message = code, clip(message, maxMessage)
	}
	return m
}

// answer sorts the reply to a modify call (trust.md §1.5). connected tells whether
// a connection was ever handed to the request: only without one is it certain that
// nothing was sent, because net/http may still write after it returned an error.
func (r reply) answer(connected bool) correction.Answer {
	m := r.remote()
	a := correction.Answer{Class: correction.Uncertain, Remote: m}
	switch {
	case r.status == 0 && !connected:
		a.Class, a.Cause = correction.NothingSent, correction.CauseUnreachable
	case r.succeeded() && errors.Is(r.failure, errSignature):
		a.Cause, a.Alarm = correction.CauseSignature, correction.AlarmSignature
	case r.status/100 == 3:
		a.Cause, a.Alarm = correction.CauseRedirect, correction.AlarmRedirect
	case r.status >= 500:
		a.Cause = correction.CauseServer
	case r.failure != nil || r.status == 0:
		a.Cause = causeOf(r.failure)
	case r.status == http.StatusOK || r.status == http.StatusNoContent:
		a.Class = correction.Accepted
	case r.status == http.StatusAccepted:
		a.Cause = correction.CauseAccepted
	case r.status == http.StatusTooManyRequests && m.Code == "":
		a.Cause = correction.CauseRate
	case r.status/100 != 4 || m.Code == "":
		a.Cause = correction.CauseGarbage
	case m.Code == "SYSTEM_ERROR" || m.Code == "SERVICE_UNAVAILABLE" || r.status == http.StatusRequestTimeout:
		a.Cause = correction.CauseServer // says "not known", whatever the status
	default:
		a.Class = correction.Refused
		a.Obstacle = obstacle(m)
		switch r.status {
		case http.StatusUnauthorized, http.StatusForbidden:
			a.Alarm = correction.AlarmAuth
		case http.StatusTooManyRequests:
			a.Cause = correction.CauseRate
		}
	}
	return a
}

func causeOf(err error) string {
	switch {
	case isTimeout(err):
		return correction.CauseTimeout
	case errors.Is(err, errTooLarge):
		return correction.CauseGarbage
	}
	return correction.CauseReset
}

// obstacle reads from a refusal what no query shows (domain.md §1.4).
func obstacle(m correction.Remote) correction.Obstacle {
	switch {
	case strings.HasSuffix(m.RequestID, tailCharging) || strings.Contains(m.Message, "正在扣款"):
		return correction.Charging
	case strings.Contains(m.Message, "押金"):
		return correction.Deposit
	}
	return correction.NoObstacle
}

// order reads the reply to a query.
func (r reply) order(ref correction.Ref) (correction.Order, error) {
	m := r.remote()
	fail := func(kind correction.Kind, code string, err error) (correction.Order, error) {
		e := &correction.Error{Kind: kind, Code: code, Err: err}
		if r.status != 0 {
			e.Remote = &m
		}
		return correction.Order{}, e
	}
	switch {
	case errors.Is(r.failure, errSignature) || errors.Is(r.failure, errTooLarge):
		return fail(correction.Unavailable, correction.CodeUnverified, r.failure)
	case r.failure != nil || r.status == 0 || r.status >= 500:
		return fail(correction.Unavailable, correction.CodeUnreachable, r.failure)
	case r.status == http.StatusOK:
		o, err := decodeOrder(r.body, ref)
		var beyond *amountError
		if errors.As(err, &beyond) {
			_, err = fail(correction.Upstream, correction.CodeBeyondBound, err)
			err.(*correction.Error).Amount = beyond.amount
			return o, err
		}
		if err != nil {
			return fail(correction.Unavailable, correction.CodeUnreadable, err)
		}
		return o, nil
	case r.status/100 != 4 || m.Code == "":
		return fail(correction.Unavailable, correction.CodeUnreadable, errors.New("the answer is not one of WeChat's API"))
	case r.status == http.StatusNotFound && m.Code == "ORDER_NOT_EXIST":
		return fail(correction.NotFound, correction.CodeNotFound, nil)
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		return fail(correction.Upstream, correction.CodeBadSettings, nil)
	}
	return fail(correction.Upstream, correction.CodeRefused, nil)
}

// clip makes valid UTF-8 of at most n characters.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}
