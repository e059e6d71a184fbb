package correction

import "slices"

// Role is what a person may do (product.md §2).
type Role string

// The four roles.
const (
	Agent      Role = "agent"
	Supervisor Role = "supervisor"
	Operator   Role = "operator"
	Auditor    Role = "auditor"
)

// Roles lists all roles.
var Roles = []Role{Agent, Supervisor, Operator, Auditor}

// Actor is the person on whose behalf a use case runs.
type Actor struct {
	UserID    int64
	Name      string
	Role      Role
	Scope     Scope
	SessionID int64 // row of the session, kept with what it did
}

// Scope is the set of merchants that a person may touch. The zero value is none.
type Scope struct {
	All       bool
	Merchants []string
}

// Allows reports whether the merchant is in scope.
func (s Scope) Allows(subMchID string) bool {
	return s.All || slices.Contains(s.Merchants, subMchID)
}

// Action is something that needs a right.
type Action string

// Actions of the correction use cases.
const (
	ReadOrders      Action = "read orders"
	Correct         Action = "correct"
	ReadCorrections Action = "read corrections"     // their own at least
	ReadAllOf       Action = "read all corrections" // of the merchants in scope
	Export          Action = "export"
	Settle          Action = "settle" // conflicts, and what an applied correction left to do
	ReadOperations  Action = "read operations"
	Approve         Action = "approve"      // and decline, and return
	ReadReviews     Action = "read reviews" // queue, days, insights
	Review          Action = "review"       // and close days
	EditSettings    Action = "edit settings"
	EditCatalog     Action = "edit catalog" // merchants and services
	ReadSettings    Action = "read settings"
	AgreeCatalog    Action = "agree to the catalog" // an operator only takes back what they edited
	AnswerReviews   Action = "answer reviews"       // an agent a question; supervisors say more
)

// rights are the actions of each role, the one place that permits anything.
var rights = map[Role][]Action{
	Agent:      {ReadOrders, Correct, ReadCorrections, AnswerReviews},
	Supervisor: {ReadOrders, Correct, ReadCorrections, ReadAllOf, Export, Settle, ReadOperations, Approve, ReadReviews, Review, EditSettings, ReadSettings, AgreeCatalog, AnswerReviews},
	Operator:   {ReadCorrections, ReadAllOf, ReadOperations, EditCatalog, ReadSettings, AgreeCatalog},
	Auditor:    {ReadOrders, ReadCorrections, ReadAllOf, Export, ReadOperations, ReadReviews, ReadSettings},
}

// Can reports whether the actor's role has the right. An unknown role has none.
func (a Actor) Can(action Action) bool { return slices.Contains(rights[a.Role], action) }

// Reach is whose corrections lists show the actor: those of an author (0: of everybody) of
// the merchants in scope. The error is of kind Forbidden.
func (a Actor) Reach() (scope Scope, author int64, err error) {
	if !a.Can(ReadCorrections) {
		return Scope{}, 0, fail(Forbidden, CodeForbidden, nil)
	}
	if !a.Can(ReadAllOf) {
		author = a.UserID
	}
	return a.Scope, author, nil
}
