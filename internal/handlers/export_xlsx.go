package handlers

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
)

// xlsxFile is a workbook that is written row by row, in constant memory: its sheets
// come first, then a sheet about the file, and at last the parts that list the sheets.
// Without those nothing opens it, so that a cut file shows.
type xlsxFile struct {
	zip    *zip.Writer
	cells  *exportRow
	sheet  *bufio.Writer // nil between two sheets
	sheets []string      // names
	rows   int           // on this sheet, the titles included
	line   []byte
}

// sheetRows is how many rows a sheet may have.
const sheetRows = 1 << 20

// Styles of cells, by their place in xlsxStyles.
const (
	styleText   = 0
	styleTitle  = 1
	styleNumber = 2 // as it is
	styleYuan   = 3 // two decimals
	styleForced = 4 // a text that starts like a formula stays a text when it is edited
)

func newXLSX(w io.Writer, cells *exportRow) *xlsxFile {
	f := &xlsxFile{zip: zip.NewWriter(w), cells: cells}
	f.zip.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	return f
}

func (f *xlsxFile) begin(exportHead) error {
	if err := f.open(f.cells.lang.T("改价记录", "Corrections")); err != nil {
		return err
	}
	if err := f.sheet.Flush(); err != nil {
		return err
	}
	return f.zip.Flush()
}

const xmlHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"

// open begins a sheet with the titles of the table.
func (f *xlsxFile) open(name string) error {
	if err := f.part(name); err != nil {
		return err
	}
	f.sheet.WriteString(`<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><cols>`)
	for i, c := range exportColumns {
		fmt.Fprintf(f.sheet, `<col min="%d" max="%d" width="%d" customWidth="1"/>`, i+1, i+1, c.width)
	}
	f.sheet.WriteString(`</cols><sheetData>`)
	f.rows = 0
	return f.write(f.cells.titles(), styleTitle)
}

// part begins the part of a sheet.
func (f *xlsxFile) part(name string) error {
	f.sheets = append(f.sheets, name)
	w, err := f.zip.Create(fmt.Sprintf("xl/worksheets/sheet%d.xml", len(f.sheets)))
	if err != nil {
		return err
	}
	f.sheet = bufio.NewWriterSize(w, exportBuffer)
	f.sheet.WriteString(xmlHead + `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">`)
	return nil
}

func (f *xlsxFile) close() error {
	f.sheet.WriteString(`</sheetData></worksheet>`)
	return f.sheet.Flush()
}

func (f *xlsxFile) row(r *correction.Summary) error {
	if f.rows == sheetRows {
		if err := f.close(); err != nil {
			return err
		}
		if err := f.open(f.cells.lang.T("改价记录", "Corrections") + " " + strconv.Itoa(len(f.sheets)+1)); err != nil {
			return err
		}
	}
	return f.write(f.cells.of(r), styleText)
}

func (f *xlsxFile) write(cells []cell, style int) error {
	f.rows++
	number := strconv.Itoa(f.rows)
	b := append(f.line[:0], `<row r="`...)
	b = append(append(b, number...), `">`...)
	for i := range cells {
		if cells[i].number == nil && cells[i].text == "" {
			continue
		}
		b = append(append(append(append(b, `<c r="`...), columnName(i)...), number...), '"')
		b = appendCell(b, cells[i], style)
	}
	f.line = append(b, `</row>`...)
	_, err := f.sheet.Write(f.line)
	return err
}

// columnName is the name of a column, the first being A. There are fewer than 702.
func columnName(i int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	if i < len(letters) {
		return letters[i : i+1]
	}
	return letters[i/len(letters)-1:i/len(letters)] + letters[i%len(letters):i%len(letters)+1]
}

// appendCell appends what follows the place of a cell. Texts stand in the cell itself
// and are never read as a formula.
func appendCell(b []byte, c cell, style int) []byte {
	if c.number != nil && c.text != timeCell {
		style = styleNumber
		if len(c.number) > 3 && c.number[len(c.number)-3] == '.' {
			style = styleYuan
		}
		b = append(append(b, ` s="`...), byte('0'+style))
		return append(append(append(b, `"><v>`...), c.number...), `</v></c>`...)
	}
	if style == styleText && formula(c.text) {
		style = styleForced
	}
	if style != styleText {
		b = append(append(append(b, ` s="`...), byte('0'+style)), '"')
	}
	b = append(b, ` t="inlineStr"><is><t xml:space="preserve">`...)
	if c.number != nil {
		b = append(b, c.number...)
	} else {
		b = appendXML(b, c.text)
	}
	return append(b, `</t></is></c>`...)
}

// appendXML appends a text so that it is read back exactly. Characters that XML has no
// place for, or would change, are written as _xHHHH_, which spreadsheets read as such; and
// so is the _ of a text that only looks like that (ECMA-376, ST_Xstring).
func appendXML(b []byte, text string) []byte {
	for i, r := range text {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r < ' ' && r != '\t' && r != '\n', r == 0xfffe, r == 0xffff:
			b = fmt.Appendf(b, "_x%04X_", r)
		case r == '_' && looksEscaped(text[i:]):
			b = append(b, "_x005F_"...)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

// looksEscaped reports a text that begins with _xHHHH: the next character may be a _, or
// become one.
func looksEscaped(text string) bool {
	return len(text) >= 6 && text[1] == 'x' && strings.Trim(text[2:6], "0123456789abcdefABCDEF") == ""
}

func (f *xlsxFile) end(h exportHead, rows int, c correction.Checkpoint) error {
	if err := f.close(); err != nil {
		return err
	}
	if err := f.about(h, rows, c); err != nil {
		return err
	}
	type part struct{ name, text string }
	var list, rels, types strings.Builder
	for i, name := range f.sheets {
		fmt.Fprintf(&list, `<sheet name="%s" sheetId="%d" r:id="rId%d"/>`, appendXML(nil, name), i+1, i+1)
		fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet%d.xml"/>`, i+1, i+1)
		fmt.Fprintf(&types, `<Override PartName="/xl/worksheets/sheet%d.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>`, i+1)
	}
	for _, p := range []part{
		{"xl/styles.xml", xlsxStyles},
		{"xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>` + list.String() + `</sheets></workbook>`},
		{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` + rels.String() +
			`<Relationship Id="rIdStyles" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>`},
		{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
		{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>` +
			`<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>` + types.String() + `</Types>`},
	} {
		w, err := f.zip.Create(p.name)
		if err == nil {
			_, err = io.WriteString(w, xmlHead+p.text)
		}
		if err != nil {
			return err
		}
	}
	return f.zip.Close()
}

// about writes the sheet that says what the file is.
func (f *xlsxFile) about(h exportHead, rows int, c correction.Checkpoint) error {
	l := f.cells.lang
	if err := f.part(l.T("说明", "About")); err != nil {
		return err
	}
	f.sheet.WriteString(`<cols><col min="1" max="1" width="16" customWidth="1"/><col min="2" max="2" width="90" customWidth="1"/></cols><sheetData>`)
	f.rows = 0
	facts := append([]fact{{l.T("文件", "File"), i18n.ProductName.In(l) + " · " + l.T("改价记录", "Change log")}}, h.facts(l)...)
	facts = append(facts, fact{l.T("条数", "Rows"), countWords(l, rows)}, fact{exportEnd.In(l), c.Note})
	for _, fact := range facts {
		if err := f.write([]cell{{text: fact.name}, {text: fact.value}}, styleText); err != nil {
			return err
		}
	}
	return f.close()
}

const xlsxStyles = `<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` +
	`<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>` +
	`<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>` +
	`<borders count="1"><border/></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>` +
	`<cellXfs count="5"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>` +
	`<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="4" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>` +
	`<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1" applyNumberFormat="1"/></cellXfs></styleSheet>`
