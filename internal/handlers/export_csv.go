package handlers

import (
	"bufio"
	"strconv"
	"strings"
	"unicode/utf8"

	"correction-console/internal/correction"
)

// csvFile is a table as RFC 4180 has it. Its first record has the titles, so that every
// reader finds them; what the file says of itself stands in records after the last row.
type csvFile struct {
	w     *bufio.Writer
	cells *exportRow
	line  []byte
	excel bool // with a byte order mark, and texts kept from being taken for values
}

func (f *csvFile) begin(exportHead) error {
	if f.excel {
		f.w.WriteString("\ufeff")
	}
	return f.write(f.cells.titles())
}

func (f *csvFile) row(r *correction.Summary) error { return f.write(f.cells.of(r)) }

func (f *csvFile) end(h exportHead, rows int, c correction.Checkpoint) error {
	l := f.cells.lang
	record := make([]cell, len(exportColumns))
	for _, fact := range h.facts(l) {
		record[0].text, record[1].text = fact.name, fact.value
		if err := f.write(record); err != nil {
			return err
		}
	}
	record[0].text, record[1].text, record[2].text = exportEnd.In(l), countWords(l, rows), c.Note
	return f.write(record)
}

func (f *csvFile) write(cells []cell) error {
	b := f.line[:0]
	for i := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		if n := cells[i].number; n != nil {
			b = append(b, n...)
		} else {
			b = appendCSV(b, cells[i].text, f.excel)
		}
	}
	f.line = append(b, '\r', '\n')
	_, err := f.w.Write(f.line)
	return err
}

// appendCSV appends a text as a field. One that a spreadsheet would take for a formula
// gets a leading apostrophe (trust.md §3.4), and for Excel so does one that it would take
// for a number, a date or a truth value, such as an order number.
func appendCSV(b []byte, v string, excel bool) []byte {
	quoted := needsQuotes(v)
	if quoted {
		b = append(b, '"')
	}
	if formula(v) || excel && spreadsheetValue(v) {
		b = append(b, '\'')
	}
	if !quoted {
		return append(b, v...)
	}
	for {
		i := strings.IndexByte(v, '"')
		if i < 0 {
			break
		}
		b = append(append(b, v[:i+1]...), '"')
		v = v[i+1:]
	}
	return append(append(b, v...), '"')
}

func needsQuotes(v string) bool {
	for i := range len(v) {
		switch v[i] {
		case '"', ',', '\r', '\n':
			return true
		}
	}
	return false
}

// formula reports texts that start like a formula, full-width forms included.
func formula(v string) bool {
	if v == "" {
		return false
	}
	switch v[0] {
	case '=', '+', '-', '@', '\t', '\r', '\n', 0:
		return true
	}
	if v[0] < utf8.RuneSelf {
		return false
	}
	r, _ := utf8.DecodeRuneInString(v)
	return r == '＝' || r == '＋' || r == '－' || r == '＠'
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// appendYuan appends an amount as a plain decimal with two places.
func appendYuan(b []byte, f correction.Fen) []byte {
	if f < 0 {
		return append(b, f.Yuan()...)
	}
	return append(appendInt(b, int64(f/100)), '.', byte('0'+f/10%10), byte('0'+f%10))
}

// writeCSV writes one record for Excel. What has a number is written as it is.
func writeCSV(w *bufio.Writer, record ...cell) error {
	var line []byte
	for i, c := range record {
		if i > 0 {
			line = append(line, ',')
		}
		if c.number != nil {
			line = appendCSV(line, string(c.number), false)
		} else {
			line = appendCSV(line, c.text, true)
		}
	}
	_, err := w.Write(append(line, '\r', '\n'))
	return err
}

func textCell(text string) cell { return cell{text: text} }

// valueCell is a figure or a date that a spreadsheet is meant to take for one.
func valueCell(text string) cell { return cell{number: []byte(text)} }
