package wechat

import (
	"errors"
	"net/http"
	"time"

	"correction-console/internal/correction"
)

// distrust sorts answers that say that the settings are wrong: WeChat does not accept what
// we sign with, or what it signs does not hold with the key that was given for it. No
// kind: the answer says nothing of that.
func (r reply) distrust() correction.SettingsKind {
	switch {
	case r.status == http.StatusUnauthorized && r.remote().Code != "":
		return correction.WrongCredentials
	case r.status == http.StatusForbidden && r.remote().Code != "":
		return correction.NoPermission
	case errors.Is(r.failure, errSignature) && !r.signed:
		return correction.WrongKey
	}
	return ""
}

// settings keeps what the newest answer says of the settings. A fault ends with an answer
// that could not be if it were still there: an answer whose signature holds ends all, an
// error of WeChat's API, which nobody signs, shows only that it accepts what we sign with.
func (h *Health) settings(r reply, now time.Time, clockOff bool) {
	switch kind := r.distrust(); {
	case kind == correction.WrongCredentials && clockOff: // the clock is told of, which is why
	case kind != "":
		m := r.remote()
		h.Fault = correction.SettingsFault{Kind: kind, At: now, Status: r.status, Code: m.Code, Message: m.Message, RequestID: r.requestID}
	case r.signed && r.failure == nil:
		h.Fault = correction.SettingsFault{}
	case h.Fault.Kind == correction.WrongCredentials && r.wechats():
		h.Fault = correction.SettingsFault{}
	}
}
