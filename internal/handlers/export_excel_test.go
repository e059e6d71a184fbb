package handlers_test

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
	"correction-console/internal/handlers"
)

// values are texts that Excel takes for something else when it opens a CSV file.
var values = []string{
	"0012345678", "12E5", "1e5", "-1E+3", "2026-11-23", "1-2", "1/2", "1 1/2", "TRUE", "true", "False", "1900021408", "2002100000000498310275514862033",
	"12", "12.50", ".5", "1,000", "￥12", "¥12.50", "$5", "5%", "(5)", " 7 ", "１２", "２０２６年１１月２３日", "2026年11月23日", "11月23日", "10:30", "10:30:15", "上午10:30", "10:30 PM",
	"MAR1", "1-Mar", "Sept 5", "June 2026", "5 January", "23/11/26", "#N/A", "#DIV/0!", "ＴＲＵＥ", "1e5 ", "\u00a012", "½", "１２Ｅ５",
}

// texts are left as they are.
var texts = []string{"PB_20261123_0099", "YS-ZC-20261123-0318", "2元/小时", "5 小时", "电费0.2元", "device 5", "e", "E", "May", "am", "上午", "truest", "mark5x", "A1", "x", "", " ", "客服 12 号线", "0x41", "GD-7", "1.2.3a"}

func TestExcelCSV_TextsThatLookLikeValuesStayTexts(t *testing.T) {
	t.Parallel()
	read := func(v string, excel bool) string {
		t.Helper()
		record, err := csv.NewReader(bytes.NewReader(append(handlers.AppendCSV(nil, v, excel), ",end\r\n"...))).Read()
		if err != nil {
			t.Fatalf("%q: %v", v, err)
		}
		return record[0]
	}
	for _, v := range values {
		if got := read(v, true); got != "'"+strings.ReplaceAll(v, "\r\n", "\n") {
			t.Errorf("%q is written as %q", v, got)
		}
		if got := read(v, false); strings.HasPrefix(got, "'") && !strings.HasPrefix(v, "-") {
			t.Errorf("for programs, %q is written as %q", v, got)
		}
	}
	for _, v := range texts {
		if got := read(v, true); got != v {
			t.Errorf("%q is written as %q", v, got)
		}
	}
}

// decodeXstring reads a text of a workbook by the letter of ECMA-376.
func decodeXstring(s string) string {
	return regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`).ReplaceAllStringFunc(s, func(m string) string {
		n, _ := strconv.ParseUint(m[2:6], 16, 16)
		return string(rune(n))
	})
}

// Every text of a cell reads back exactly, by the letter of the format and by a reader.
func TestXLSX_EveryTextReadsBackExactly(t *testing.T) {
	t.Parallel()
	list := append([]string{"PB_x0041_9", "_x000D_", "_x005F_", "_x005F_x0041_", "_x0041_x0042_", "__x0041__", "_x41_", "_X0041_", "_x00zz_", "a\rb", "a\r\nb", "a\tb\nc", "\x00\x01\x1f", "\ufffe\uffff", "<&>\"'", " lead", "trail ", "文_x6587_"}, values...)
	random := rand.New(rand.NewPCG(7, 7))
	pieces := []string{"_", "x", "X", "0041", "005F", "000D", "_x0041_", "A", "文", "\r", "\n", "\x07", "&", "<", "😀", "é"}
	for range 2000 {
		var b strings.Builder
		for range random.IntN(12) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		list = append(list, b.String())
	}
	for i, want := range list {
		body := handlers.AppendXML(nil, want)
		var v struct {
			Text string `xml:",chardata"`
		}
		if err := xml.Unmarshal([]byte("<t>"+string(body)+"</t>"), &v); err != nil || !utf8.Valid(body) {
			t.Fatalf("%q: %q: %v", want, body, err)
		}
		if got := decodeXstring(v.Text); got != want {
			t.Errorf("case %d: %q is written as %q and read as %q", i, want, body, got)
		}
	}
}

// The files themselves: what people typed comes back as they typed it, in every file that
// spreadsheets open.
func TestExports_WhatLooksLikeSomethingElseComesBackAsTyped(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	typed := []string{"PB_x0041_9", "_x000D_", "0012345678", "12E5", "2026-11-23", "1-2", "TRUE"}
	for i, v := range typed {
		a.Put(apptest.Past{Login: "lin", Merchant: bankMerchant, Service: otherService, Order: fmt.Sprintf("X_%d", i), Base: 3000, Target: 1000, Reason: "timing", Device: correction.Device{Start: v}, At: noon(a, -9), States: apptest.WayApplied})
	}
	zhou := a.As("zhou")
	book, err := excelize.OpenReader(strings.NewReader(zhou.Get("/corrections.xlsx").Body))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	rows, err := book.GetRows("改价记录")
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(zhou.Get("/corrections.csv?bom=1").Body, "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	figures := zhou.Get("/insights.csv?" + handMadePeriod(a)).Body
	column := slices.Index(records[0], "设备")
	if column < 0 {
		t.Fatalf("columns %q", records[0])
	}
	for i, v := range typed {
		row := len(typed) - i // the newest first
		if got := rows[row][column]; got != v {
			t.Errorf("workbook: %q came back as %q", v, got)
		}
		if got, want := records[row][column], map[bool]string{true: v, false: "'" + v}[strings.Contains(v, "_")]; got != want {
			t.Errorf("Excel CSV: %q came back as %q", v, got)
		}
		if !strings.Contains(v, "_") && !strings.Contains(figures, ",'"+v+",") {
			t.Errorf("figures: %q is not kept a text", v)
		}
	}
}
