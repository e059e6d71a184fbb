package handlers

import (
	"net/http"

	"correction-console/internal/correction"
)

// Row is a row of the route table, for tests that walk it.
type Row struct {
	Method, Path string
	Public       bool
	Roles        []correction.Role
}

// Rows returns the route table.
func Rows() []Row {
	var out []Row
	for _, r := range table {
		row := Row{Method: r.method, Path: r.path, Public: r.access.public}
		for _, role := range correction.Roles {
			if !row.Public && r.access.permits(correction.Actor{Role: role}) {
				row.Roles = append(row.Roles, role)
			}
		}
		out = append(out, row)
	}
	return out
}

var (
	SafeNext   = safeNext
	DecodeForm = decodeForm
	EncodeForm = encodeForm
	AppendCSV  = appendCSV
	AppendXML  = appendXML
	Renumber   = renumber
)

// Queries returns the parameters that the GET routes take, by path.
func Queries() map[string][]string {
	out := map[string][]string{}
	for path, takes := range queries {
		for _, p := range takes {
			out[path] = append(out[path], p.name)
		}
	}
	return out
}

// MachinePaths are the routes whose query does not matter.
var MachinePaths = machinePaths

// NewFull returns a console in which everything that those without a session share is
// taken, but for the requests (or bytes) that are left.
func NewFull(c Config, requests, bytes int) (http.Handler, error) {
	s, e := newServer(c)
	s.gates.strangers.requests.take("", strangersAtOnce-requests)
	s.gates.strangers.bytes.take("", strangersInBody-bytes)
	return e, s.routes(e)
}
