package correction

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestCorrection_FindsItsEvents(t *testing.T) {
	t.Parallel()
	c := Correction{Base: Order{Total: 9900}, Target: 1000}
	if c.Last().N != 0 || c.Reduction() != 8900 || (Summary{BaseTotal: 9900, Target: 1000}).Reduction() != 8900 {
		t.Errorf("%+v", c)
	}
	c.Events = []Event{{N: 1, State: Prepared}, {N: 2, State: Unknown}, {N: 3, State: Unknown}}
	if c.Last().N != 3 {
		t.Errorf("last %+v", c.Last())
	}
	if e, ok := c.Find(Unknown); !ok || e.N != 3 {
		t.Errorf("newest unknown %+v, %v", e, ok)
	}
	if e, ok := firstUnknown(c); !ok || e.N != 2 {
		t.Errorf("first unknown %+v, %v", e, ok)
	}
	if _, ok := c.Find(Applied); ok {
		t.Error("an event that is not there")
	}
}

func TestError_KindAndCodeSurviveWrapping(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk full")
	err := fmt.Errorf("confirm: %w", fail(Unavailable, CodeNoRecord, cause))
	if KindOf(err) != Unavailable || CodeOf(err) != CodeNoRecord || !errors.Is(err, cause) {
		t.Errorf("%v: kind %v, code %q", err, KindOf(err), CodeOf(err))
	}
	if KindOf(cause) != Internal || CodeOf(cause) != "" || KindOf(nil) != Internal {
		t.Error("an error without kind has one")
	}
	if got := fail(Conflict, CodeBusy, nil).Error(); got != CodeBusy {
		t.Errorf("%q", got)
	}
}

func TestQuietRead_CountsUnbrokenReadingsAfterTheQuietTime(t *testing.T) {
	t.Parallel()
	signed := time.UnixMilli(1_800_000_000_000)
	quiet := signed.Add(QuietTime)
	s := &Service{Policy: DefaultPolicy()}
	sent := Detail{SignMS: signed.UnixMilli(), Class: Uncertain}
	first := Event{State: Unknown, Detail: sent}
	read := func(after time.Duration, f Finding) Event {
		return Event{State: Unknown, Detail: Detail{Finding: f, Reading: &Order{}, ReadMS: quiet.Add(after).UnixMilli()}}
	}
	now := quiet.Add(10 * time.Minute)
	for name, c := range map[string]struct {
		events []Event
		want   time.Duration
	}{
		"none":                      {[]Event{first}, 0},
		"only before":               {[]Event{first, read(-time.Millisecond, FoundBase)}, 0},
		"at the quiet time":         {[]Event{first, read(0, FoundBase)}, 10 * time.Minute},
		"before and after":          {[]Event{first, read(-time.Minute, FoundBase), read(time.Minute, FoundBase)}, 9 * time.Minute},
		"the oldest counts":         {[]Event{first, read(time.Minute, FoundBase), read(4*time.Minute, FoundBase)}, 9 * time.Minute},
		"broken by another finding": {[]Event{first, read(time.Minute, FoundBase), read(2*time.Minute, FoundBetween), read(4*time.Minute, FoundBase)}, 6 * time.Minute},
		"another finding last":      {[]Event{first, read(time.Minute, FoundBase), read(2*time.Minute, FoundOtherState)}, 0},
	} {
		if got := s.quietRead(Correction{Events: c.events}, sent, now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if got := s.QuietUntil(Correction{Events: []Event{first}}); !got.Equal(quiet) {
		t.Errorf("quiet until %v, want %v", got, quiet)
	}
	if got := s.QuietUntil(Correction{}); !got.IsZero() {
		t.Errorf("quiet until %v without an uncertain answer", got)
	}
}

func TestToken_BelongsToOneCorrection(t *testing.T) {
	t.Parallel()
	s := &Service{Key: []byte("0123456789abcdef0123456789abcdef")}
	c := Correction{ConfirmNonce: []byte("nonce"), BodySHA256: [32]byte{1}}
	token := s.Token(c)
	if token != s.Token(c) || len(token) != 43 {
		t.Errorf("token %q", token)
	}
	other := c
	other.BodySHA256[0] = 2
	foreign := c
	foreign.ConfirmNonce = []byte("ecnon")
	if s.Token(other) == token || s.Token(foreign) == token || (&Service{Key: []byte("x")}).Token(c) == token {
		t.Error("another body, nonce or key makes the same token")
	}
}
