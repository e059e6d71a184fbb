package handlers

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/web/templates/pages"
)

// resolve takes what a supervisor says of a correction. What was typed is never lost:
// the page shows it again with what is missing, or that somebody was faster.
func (s *server) resolve(c echo.Context) error {
	id, err := correctionID(c)
	if err != nil {
		return err
	}
	v, err := postForm(c, fields("text", "ruling", "agrees", "do"))
	if err != nil {
		return err
	}
	ctx, a := c.Request().Context(), actor(c)
	r := correction.Resolution{Text: strings.ReplaceAll(v.Get("text"), "\r\n", "\n"), Ruling: correction.Ruling(v.Get("ruling"))}
	if r.Agrees, err = strconv.Atoi(v.Get("agrees")); err != nil && v.Get("agrees") != "" {
		return errBadForm
	}
	form := pages.ResolutionForm{Text: r.Text, Ruling: v.Get("ruling"), Agrees: r.Agrees != 0}
	if v.Get("do") != "" { // Enter: nothing is said yet
		return s.correctionPage(c, http.StatusOK, id, func(p *pages.CorrectionProps) { p.Resolution = form })
	}
	err = s.Corrections.Resolve(ctx, a, id, r)
	status := http.StatusUnprocessableEntity
	switch correction.CodeOf(err) {
	case correction.CodeNeedsText:
	case correction.CodeTokenUsed:
		form.Problem, status = pages.ResolutionMoved, http.StatusConflict
	default:
		if err != nil {
			return err
		}
		return s.flashTo(c, "resolved", pages.CorrectionURL(id))
	}
	return s.correctionPage(c, status, id, func(p *pages.CorrectionProps) {
		switch {
		case form.Problem != "":
		case !p.MayRule && !p.MayHandle: // there is nothing to say any more
			form.Problem = pages.ResolutionMoved
		default:
			form.NoRuling = p.MayRule && !form.Agrees && !slices.Contains(correction.Rulings, r.Ruling)
			form.Problem = textProblem(r.Text, form.NoRuling)
			p.Page.Problems = 1
			if form.NoRuling && form.Problem != "" {
				p.Page.Problems = 2
			}
		}
		p.Resolution = form
	})
}

// textProblem is why words were not taken; empty when something else was missing.
func textProblem(text string, elsewhere bool) pages.ResolutionProblem {
	switch text, bad := correction.CleanNote(text, correction.MaxText); {
	case text == "" && bad.Code == "", bad.Code == correction.BadRequired:
		return pages.ResolutionEmpty
	case bad.Code == correction.BadTooLong:
		return pages.ResolutionLong
	case bad.Code == correction.BadCharacter:
		return pages.ResolutionCharacter(bad)
	case elsewhere && bad.Code == "":
		return ""
	}
	return pages.ResolutionText
}

// proof answers a correction's proof as a file. Who may open the correction may have
// it.
func (s *server) proof(c echo.Context) error {
	id, err := correctionID(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	cor, err := s.Corrections.Correction(ctx, actor(c), id)
	if err != nil {
		return err
	}
	if cor.Veiled() { // it holds the bytes
		return &correction.Error{Kind: correction.Forbidden, Code: correction.CodeVeiled}
	}
	proof, err := s.Prove(ctx, id)
	if err != nil {
		return fmt.Errorf("prove correction %d: %w", id, err)
	}
	c.Response().Header().Set(echo.HeaderContentDisposition, fmt.Sprintf(`attachment; filename="correction-%d-proof.json"`, id))
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, proof)
}

// rootShown is how much of a root is printed, to be compared by eye.
const rootShown = 16

// printed is the newest checkpoint for the slip of a correction. One that is older
// than the correction's last event says nothing of it and is replaced; otherwise no
// page makes a new one.
func (s *server) printed(ctx context.Context, cor correction.Correction) pages.Checkpoint {
	s.newest.Lock()
	defer s.newest.Unlock()
	if !s.newest.checkpoint.At.After(cor.Last().At) {
		cp, err := s.Checkpoint(ctx)
		if err != nil {
			s.Log.Error("read checkpoint", "err", err)
			return pages.Checkpoint{}
		}
		s.newest.checkpoint = cp
	}
	cp := s.newest.checkpoint
	root := rootOf(cp)
	return pages.Checkpoint{Size: cp.Size, Root: root[:min(rootShown, len(root))]}
}

// rootOf is the hash of the record in a checkpoint: the third line of its text.
func rootOf(cp correction.Checkpoint) string {
	if lines := strings.SplitN(cp.Note, "\n", 4); len(lines) == 4 {
		return lines[2]
	}
	return ""
}

// dueRows is what the actor has to see to, with what is to be refunded.
func (s *server) dueRows(ctx context.Context, a correction.Actor) ([]pages.DueRow, error) {
	list, err := s.Corrections.DueFor(ctx, a)
	if err != nil {
		return nil, err
	}
	var out []pages.DueRow
	for _, sum := range list {
		row := pages.DueRow{Summary: sum}
		switch sum.Settled {
		case correction.PaidOld:
			row.Refund = sum.Reduction()
		case correction.PaidOther: // only the reading tells
			c, err := s.Corrections.Correction(ctx, a, sum.ID)
			if err != nil {
				return nil, err
			}
			if o, _ := c.LastReading(); o != nil {
				row.Refund = correction.RefundDue(c.Target, *o)
			}
		}
		out = append(out, row)
	}
	return out, nil
}
