package correction

import "time"

// Health is how the console itself is doing, as far as people must know.
type Health struct {
	Started time.Time

	Host            string // of WeChat's API that is asked at present
	OnBackup        bool
	Switched        time.Time     // when the host was changed; zero when never
	Skew            time.Duration // of WeChat's signed time against this machine's
	SkewAt          time.Time     // when that was measured; zero when never
	SkewSure        bool          // by enough answers to rely on
	SkewUnsigned    bool          // by the Date of an answer, which nobody signed
	LastAnswer      time.Time     // of WeChat; zero when none yet
	LastFailure     time.Time
	LastFailureCode string
	Settings        SettingsFault // why the settings for WeChat are to be looked at

	Free, MinFree int64 // bytes on the disk of the database; Free < 0 when not known
	Database      int64 // bytes of the database and its log
	StoreBroken   bool  // a read or write of the database's disk failed

	JournalFolder string
	JournalSame   bool // it is on the same disk as the database
	JournalLacks  bool // at the start it did not know corrections that were sent

	// RollbackBlind: journal and checkpoints are in the data folder, so that an older copy
	// of it would not be noticed.
	RollbackBlind bool

	CheckpointTo string    // folder or address; empty when they stay here
	PublishedAt  time.Time // when the newest one left; zero when none has
	PublishFault string    // why the newest one did not leave; empty when it did

	ReloadFault string    // why keys that were to be read again are not in use; empty when they are
	ReloadSince time.Time // when that was first so
}

// SettingsKind is what is wrong with the settings for WeChat, as its answers show.
type SettingsKind string

// Kinds of faults of the settings.
const (
	WrongCredentials SettingsKind = "credentials" // WeChat does not accept number, certificate or signature
	NoPermission     SettingsKind = "permission"  // it accepts them, but not for what was asked
	WrongKey         SettingsKind = "key"         // the signatures of its answers do not hold with the key that was given
)

// SettingsFault is the newest answer that shows that the settings for WeChat are wrong,
// with what it says. Nobody has signed these words.
type SettingsFault struct {
	Kind      SettingsKind // empty: there is none
	At        time.Time
	Status    int
	Code      string
	Message   string
	RequestID string
}

// Refuses tells why corrections are refused at present; empty when they are not.
func (m Health) Refuses() Concern {
	switch {
	case m.StoreBroken:
		return StoreFailed
	case m.Free >= 0 && m.Free < m.MinFree:
		return LowDisk
	case m.SkewSure && m.Skew.Abs() >= RefuseSkew: // each look-up measures it again
		return ClockRefused
	}
	return ""
}

// skewAge is how long a measured skew is believed.
const skewAge = 30 * time.Minute

// alarms lists what people must know about the machine.
func (m Health) alarms(now time.Time) []Alarm {
	var out []Alarm
	if c := m.Refuses(); c != "" {
		out = append(out, Alarm{Concern: c})
	}
	if m.SkewSure && now.Sub(m.SkewAt).Abs() < skewAge {
		if skew := m.Skew.Abs(); skew >= WarnSkew && skew < RefuseSkew {
			out = append(out, Alarm{Concern: ClockOff})
		}
	}
	if m.Settings.Kind != "" {
		out = append(out, Alarm{Concern: WeChatSettings, Since: m.Settings.At})
	}
	if m.JournalLacks {
		out = append(out, Alarm{Concern: JournalMissing, Since: m.Started})
	}
	if m.OnBackup {
		out = append(out, Alarm{Concern: OnBackup, Since: m.Switched})
	}
	if m.PublishFault != "" {
		out = append(out, Alarm{Concern: Unpublished, Since: m.PublishedAt})
	}
	if m.ReloadFault != "" {
		out = append(out, Alarm{Concern: ReloadFailed, Since: m.ReloadSince})
	}
	return out
}
