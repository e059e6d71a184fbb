// Package pages holds the pages of the console: each a pure function of its Props,
// in which every decision is already made.
package pages

import (
	"time"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
)

// SignInProps is the sign-in page.
type SignInProps struct {
	Page     layout.Page
	Username string
	Problem  SignInProblem
	Wait     time.Duration // with SignInLocked and SignInSlow: how long to wait
	Next     string        // where to go after; a path of this console, or empty
	Kept     string        // a form that was posted without a session, sealed for who typed it; empty if none
	Dropped  bool          // such a form was not kept, for nobody knows who typed it
	Expired  bool          // a session has ended
}

// SignInProblem is why signing in did not work.
type SignInProblem string

// Problems of signing in.
const (
	SignInWrong  SignInProblem = "wrong"  // name or password; which one is not told
	SignInLocked SignInProblem = "locked" // too many failures
	SignInBusy   SignInProblem = "busy"   // too many sign-ins at this moment
	SignInEmpty  SignInProblem = "empty"
)

// HomeProps is "mine": the find box, what needs me, my recent corrections.
type HomeProps struct {
	Page      layout.Page
	CanFind   bool
	Merchants []correction.Merchant
	Find      FindProps
	Due       []DueRow
	Questions []correction.Question // that wait for the person
	Attention []correction.Summary
	Recent    []correction.Summary
	All       bool // the person sees everybody's corrections, not only their own
}

// DueRow is a correction that a supervisor has to see to.
type DueRow struct {
	correction.Summary
	Refund correction.Fen // what the customer paid too much; 0 when that is not it
}

// FindProps is the find box with what a look-up came to.
type FindProps struct {
	OutOrderNo string
	SubMchID   string
	ServiceID  string
	Problem    FindProblem
	Asked      int           // merchants that were asked, with FindNowhere
	Wait       time.Duration // with FindTooFast and FindSearching: until one may try again
	Choices    []FindChoice  // with FindSeveral
}

// FindChoice is one of several orders of the same number.
type FindChoice struct {
	Ref          correction.Ref
	MerchantName string
}

// FindProblem is why a look-up led to no order.
type FindProblem string

// Problems of a look-up.
const (
	FindEmpty       FindProblem = "empty"
	FindSyntax      FindProblem = "syntax"      // no order number looks like this
	FindNowhere     FindProblem = "nowhere"     // no such order at the merchant, or at any of the few
	FindNoMerchant  FindProblem = "no_merchant" // the merchant is not known here, or not in scope
	FindTooMany     FindProblem = "too_many"    // too many merchants to ask: choose one
	FindSeveral     FindProblem = "several"
	FindBadMerchant FindProblem = "bad_merchant" // no merchant number looks like this
	FindTooFast     FindProblem = "too_fast"     // more look-ups than a person has; FindProps.Wait
	FindSearching   FindProblem = "searching"    // too many look-ups without a merchant at this moment
)

// OrderProps is the page of a live order.
type OrderProps struct {
	Page                 layout.Page
	View                 correction.OrderView
	Industry             i18n.Text // empty when not known
	NoAmounts            bool      // no line carries an amount
	LineSum, DiscountSum correction.Fen
	CanCorrect           bool           // the button is there
	CanRole              bool           // the person's role corrects orders at all
	TryAgainAt           time.Time      // with obstacle Charging
	ReadableIDs          map[int64]bool // corrections in Earlier that the person may open
}

// FormProps is the correction form.
type FormProps struct {
	Page                     layout.Page
	Base                     correction.Order
	Merchant                 correction.Merchant
	Offering                 correction.Offering
	Form                     correction.Form // Base is the hash; rows keep their Index
	Lines                    []Row
	Discounts                []Row
	NoAmounts                bool     // the amount column is not offered and the total is entered by itself
	NameChoices              []string // names of the industry, empty = free text
	Reasons                  []correction.Reason
	Summary                  SummaryProps
	ShowProblems             bool      // after a submit: error summary on top and messages at the fields
	Draft                    time.Time // when the draft was last saved; zero = none yet
	Restored                 bool      // the form was filled from a saved draft
	MovedSince               bool      // the order changed since that draft; the base is the new order
	Clashes                  []correction.Clash
	From                     int64  // id of the correction it was filled from, 0 = none
	TypedBy                  string // stands for the person the form is made for
	MoreLines, MoreDiscounts int    // rows that may still be added
	DeviceExpected           bool   // unattended industry
	FocusField               string // field to put the cursor in, such as that of a new row; empty = none
}

// Row is one row of the editor.
type Row struct {
	Form     correction.FormLine
	Kind     correction.ChangeKind // against the order's line
	Was      correction.Line       // the order's line, when there is one
	Delta    correction.Fen
	HasDelta bool
}

// SummaryProps is the card with the new amount, computed by the server.
type SummaryProps struct {
	Current          correction.Fen
	Checked          correction.Checked
	At               time.Time
	AsksTotal        bool // the next step asks to type the new total
	ThresholdPercent int
	KeptPermille     int                 // share kept, when TotalKnown
	Touched          bool                // something differs from the order, so problems are worth telling
	Own              correction.Headroom // what the person may give up alone, and has today
	Over             []correction.Over   // the bounds that the new total is above: it needs an approval
}

// MovedProps is the page "then / now / yours": the order changed under a form or
// before sending.
type MovedProps struct {
	Page             layout.Page
	Merchant         correction.Merchant
	Then             correction.Order
	Now              correction.Order
	ReadAt           time.Time
	Lines, Discounts []correction.Line // yours
	Target           correction.Fen
	Obstacle         correction.Obstacle // why the order cannot be corrected now, if so
	CanRedo          bool
	RedoURL          string // opens the form on the order of now with yours filled in
}

// CorrectionProps is the page of one correction in any state.
type CorrectionProps struct {
	correction.CorrectionView
	Page layout.Page

	TypedTotal   string
	TypedProblem bool               // the typed total was missing or different
	Busy         *correction.Holder // somebody else holds the order
	CheckFailed  string             // code of the error of the last "check now", empty if none
	RedoURL      string             // of the form of another try
	Moved        *MovedProps        // with state stale
	Resolution   ResolutionForm
	Review       ReviewForm
	Checkpoint   Checkpoint                 // of the record, for print; zero when there is none
	Origins      map[int64]changelog.Origin // by row of the session, for those who see internals
	RequestID    string
	BodyText     string // the stored bytes, as text
}

// ResolutionForm is what a supervisor says, as typed.
type ResolutionForm struct {
	Text, Ruling string
	Agrees       bool // typed into the form that agrees
	Problem      ResolutionProblem
	NoRuling     bool // none was chosen
}

// ResolutionProblem is why a supervisor's words were not taken.
type ResolutionProblem string

// Problems of a resolution.
const (
	ResolutionEmpty ResolutionProblem = "empty"
	ResolutionLong  ResolutionProblem = "long"
	ResolutionText  ResolutionProblem = "text"  // characters that cannot be used
	ResolutionMoved ResolutionProblem = "moved" // somebody was faster
)

// Checkpoint is the record as it stood, in short: Root is the first 16 characters of
// its hash.
type Checkpoint struct {
	Size int64
	Root string
}

// OperationsProps is how the installation is doing.
type OperationsProps struct {
	Page          layout.Page
	Health        correction.Health
	KnowsHealth   bool // Health was measured
	JournalFailed bool // its newest line could not be written
	Concerns      correction.Concerns
	Counts        correction.Counts
	Checkpoint    correction.Checkpoint // zero when none could be signed
	VerifierKey   string
}

// LogProps is the change log.
type LogProps struct {
	Page               layout.Page
	Filter             LogForm
	More               bool   // the whole filter is asked for
	Query              string // the filter, encoded, without where in the list the page is
	Merchants          []correction.Merchant
	Authors            []correction.Author // empty when the person sees only their own
	Offerings          []correction.Offering
	Approvers          []correction.Author
	Reasons            []correction.Reason
	Refused            bool // the filter does not say what to list: nothing is
	Rows               []correction.Summary
	Total              int    // rows that the filter finds
	MoreThanTotal      bool   // and there are more
	NewerURL, OlderURL string // empty when there is no such page

	ByTimeURL, ByReductionURL string
	CanExport, CanShare       bool
	AppliedCount              int            // on this page
	AppliedSum                correction.Fen // reduction of the applied ones on this page
	Chips                     []Chip
	ClearURL                  string
	Views                     []LogView
	View                      ViewForm
}

// LogForm is the filter as typed, with what is wrong with it.
type LogForm struct {
	Values   map[string]string // by parameter
	Sort     changelog.LogSort
	Rows     int
	Columns  []string
	Problems map[string]LogProblem // by parameter
	Strange  []string              // parameters that there are not
	Twice    bool                  // a condition is given more than once
}

// Unread reports a query of which something is lost: a condition that there is not, or
// one that is given twice.
func (f LogForm) Unread() bool { return f.Twice || len(f.Strange) > 0 }

// Refused reports a filter that does not say what to list: a condition that is not
// understood never means everything. How the list is shown is no condition.
func (f LogForm) Refused() bool {
	for name := range f.Problems {
		if name != "sort" && name != "rows" && name != "columns" {
			return true
		}
	}
	return f.Unread()
}

// LogProblem is why a filter value was not used.
type LogProblem string

// Problems of filter values.
const (
	LogBadDate   LogProblem = "date"
	LogDates     LogProblem = "dates" // from after to
	LogBadOrder  LogProblem = "order"
	LogUnknown   LogProblem = "unknown" // not one of the choices
	LogBadAmount LogProblem = "amount"
	LogBadShare  LogProblem = "share"
	LogRange     LogProblem = "range" // the most is less than the least
	LogLong      LogProblem = "long"
	LogTwice     LogProblem = "twice" // given more than once
)

// LogView is a named filter.
type LogView struct {
	ID        int64
	Name      string
	URL       string
	OwnerName string
	Own       bool
	Shared    bool
	Current   bool // the page shows it
}

// ViewForm is a name for the filter, as typed.
type ViewForm struct {
	Open    bool // the form is on the page
	Name    string
	Shared  bool
	Problem ViewProblem
}

// ViewProblem is why a filter was not kept under a name.
type ViewProblem string

// Problems of names.
const (
	ViewBadName ViewProblem = "name"
	ViewTaken   ViewProblem = "taken"
	ViewFull    ViewProblem = "full"
)

// Chip is one condition in force, with the address that removes it.
type Chip struct {
	Label string
	URL   string
}

// AccountProps is the person's own page.
type AccountProps struct {
	Page            layout.Page
	Username        string
	Sessions        []SessionRow
	PasswordProblem PasswordProblem
	MinPassword     int
}

// SessionRow is one session of the person.
type SessionRow struct {
	Row           int64
	Current       bool
	Created, Seen time.Time
	IP, Agent     string // user agent, shortened
}

// PasswordProblem is why a new password was not taken.
type PasswordProblem string

// Problems of a new password.
const (
	PasswordWrong  PasswordProblem = "wrong" // the current one
	PasswordShort  PasswordProblem = "short"
	PasswordLong   PasswordProblem = "long"
	PasswordCommon PasswordProblem = "common"
	PasswordRepeat PasswordProblem = "repeat" // the two differ
	PasswordText   PasswordProblem = "text"   // characters that cannot be used
	PasswordSame   PasswordProblem = "same"   // the new one is the old one
	PasswordSlow   PasswordProblem = "slow"   // too many tries
)

// ErrorProps is a page that says what went wrong.
type ErrorProps struct {
	Page        layout.Page
	Problem     ErrorProblem
	Status      int
	ID          string             // error number: the request id
	Order       string             // order number it was about, if any
	Remote      *correction.Remote // what WeChat answered, if it did
	Holder      *correction.Holder
	Amount      string             // with ErrorBeyondBound: the amount that WeChat reported
	Concern     correction.Concern // why corrections are refused at present, with ErrorReadOnly
	DraftKept   bool               // what was typed is kept as a draft
	NothingSent bool               // say that nothing was sent and no amount changed
	Query       QueryProblem       // with ErrorQuery
	Parameter   string             // with ErrorQuery: which; empty when the query as a whole cannot be read
	Wait        time.Duration      // with ErrorTooFast and ErrorSearching: until one may try again
	RetryURL    string
	BackURL     string
	PublicURL   string // the right address, for ErrorHost; empty when it is not set
}

// ErrorProblem is what an error page is about.
type ErrorProblem string

// Problems of error pages.
const (
	ErrorNotFound       ErrorProblem = "not_found"
	ErrorForbidden      ErrorProblem = "forbidden"
	ErrorWholeScope     ErrorProblem = "whole_scope" // takes somebody who is for all merchants
	ErrorMethod         ErrorProblem = "method"
	ErrorBadRequest     ErrorProblem = "bad_request" // a form with unknown or repeated fields, a wrong content type
	ErrorTooLarge       ErrorProblem = "too_large"
	ErrorQuery          ErrorProblem = "query"        // an address whose parameters are not understood
	ErrorTooFast        ErrorProblem = "too_fast"     // more look-ups than a person has
	ErrorTooMany        ErrorProblem = "too_many"     // more posts of a kind than a person has
	ErrorSearching      ErrorProblem = "searching"    // too many look-ups without a merchant at this moment
	ErrorHost           ErrorProblem = "host"         // asked under a name that is not the console's
	ErrorCrowded        ErrorProblem = "crowded"      // too much is under way at once
	ErrorSlow           ErrorProblem = "slow"         // what was posted did not arrive in time
	ErrorCrossSite      ErrorProblem = "cross_site"   // an unsafe request that does not come from a page of the console
	ErrorUnreachable    ErrorProblem = "unreachable"  // WeChat cannot be reached
	ErrorRefused        ErrorProblem = "refused"      // WeChat answered with an error
	ErrorUnverified     ErrorProblem = "unverified"   // an answer that is not provably WeChat's
	ErrorUnreadable     ErrorProblem = "unreadable"   // an answer that is not one of WeChat's API
	ErrorBeyondBound    ErrorProblem = "beyond_bound" // an amount that no order can have
	ErrorSettings       ErrorProblem = "settings"     // WeChat does not accept our key, number or signature
	ErrorNoRecord       ErrorProblem = "no_record"    // the record cannot be written
	ErrorPending        ErrorProblem = "pending"      // sent, the outcome is not on record yet
	ErrorBaseUnknown    ErrorProblem = "base_unknown" // a form that this console did not show
	ErrorBusy           ErrorProblem = "busy"         // the order is being corrected by somebody
	ErrorTokenWrong     ErrorProblem = "token_wrong"
	ErrorNotCorrectable ErrorProblem = "not_correctable"
	ErrorReadsCrowded   ErrorProblem = "reads_crowded" // too much is being read at present
	ErrorSlowRead       ErrorProblem = "slow_read"     // reading took longer than it may
	ErrorExporting      ErrorProblem = "exporting"     // the person has an export that runs
	ErrorReadOnly       ErrorProblem = "read_only"     // corrections are refused at present
	ErrorRetried        ErrorProblem = "retried"       // somebody tries the same one again already
	ErrorSecondPerson   ErrorProblem = "second_person" // needs somebody who had no part in it
	ErrorOwnApproval    ErrorProblem = "own_approval"  // they approved it themselves
	ErrorVeiled         ErrorProblem = "veiled"        // the amount is shown after the decision
	ErrorMoved          ErrorProblem = "moved"         // the correction is no longer what the page showed
	ErrorInternal       ErrorProblem = "internal"
)

// QueryProblem is why the parameters of an address are refused.
type QueryProblem string

// Problems of queries.
const (
	QueryUnreadable QueryProblem = "unreadable"
	QueryUnknown    QueryProblem = "unknown" // a parameter that the page does not take
	QueryTwice      QueryProblem = "twice"
	QueryValue      QueryProblem = "value"
)
