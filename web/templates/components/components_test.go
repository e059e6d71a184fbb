package components_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/components"
	"correction-console/web/templates/layout"
)

func TestPercent_HasOneDecimal(t *testing.T) {
	t.Parallel()
	for permille, want := range map[int]string{0: "0.0%", 5: "0.5%", 769: "76.9%", 1000: "100.0%", -30: "−3.0%"} {
		if got := components.Percent(permille); got != want {
			t.Errorf("Percent(%d) = %q, want %q", permille, got, want)
		}
	}
	if got := components.Lowered(13250, 17220); got != "−76.9%" {
		t.Errorf("Lowered = %q", got)
	}
}

func render(t *testing.T, s correction.State, large bool) string {
	t.Helper()
	var b strings.Builder
	if err := components.StateBadge(i18n.ZH, s, large).Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Colour is never alone: what looks the same must also be called the same.
func TestStateBadge_ShowsClassShapeAndWord(t *testing.T) {
	t.Parallel()
	for s, class := range map[correction.State]string{
		correction.Prepared: "draft", correction.Claimed: "ready", correction.Sending: "ready", correction.Applied: "applied",
		correction.Rejected: "rejected", correction.NotSent: "rejected", correction.NotApplied: "rejected", correction.Unknown: "unknown",
		correction.NeedsPerson: "unknown", correction.Stale: "mute", correction.Expiry: "mute", correction.Withdrawn: "mute", correction.Void: "mute",
	} {
		got := render(t, s, false)
		if !strings.Contains(got, `class="state state--`+class+`"`) || !strings.Contains(got, i18n.StateWord(s).ZH) ||
			!(strings.Contains(got, "<path") || strings.Contains(got, "<circle")) {
			t.Errorf("%s: %s", s, got)
		}
	}
	shape := func(s correction.State) string {
		return strings.ReplaceAll(render(t, s, false), i18n.StateWord(s).ZH, "")
	}
	if shape(correction.Unknown) == shape(correction.NeedsPerson) {
		t.Error("unknown and conflict look the same")
	}
	if got := render(t, correction.Unknown, true); !strings.Contains(got, "state--large") {
		t.Errorf("large badge: %s", got)
	}
}

func TestIcon_KnowsEachName(t *testing.T) {
	t.Parallel()
	for name := range strings.FieldsSeq("down download check double applied cross question pause hourglass back bar dashed plane warn " +
		"plus refresh pencil search user chevron menu print lock arrow close clock info") {
		var b strings.Builder
		if err := components.Icon(name).Render(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "<path") && !strings.Contains(b.String(), "<circle") {
			t.Errorf("%s has no drawing: %s", name, b.String())
		}
	}
}

// The file that lists fetch their icons from has the same drawings.
func TestRowIcon_HasTheSameDrawings(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../../static/img/icons.svg")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{"double": true, "warn": true, "close": true, "download": true, "chevron": true}
	for _, s := range correction.States {
		var b bytes.Buffer
		if err := components.RowBadge(layout.Page{}, i18n.ZH, correction.Summary{State: s}).Render(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(b.String(), "icons.svg#")
		name, _, ok := strings.Cut(rest, `"`)
		if !ok {
			t.Fatalf("%s has no icon: %s", s, b.String())
		}
		names[name] = true
	}
	for name := range names {
		var b bytes.Buffer
		if err := components.Icon(name).Render(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		_, drawing, _ := strings.Cut(b.String(), ">")
		drawing = strings.TrimSpace(strings.TrimSuffix(drawing, "</svg>"))
		if drawing == "" || !strings.Contains(string(file), `<symbol id="`+name+`" viewBox="0 0 16 16">`+drawing+`</symbol>`) {
			t.Errorf("the drawing of %s is not in the file: %s", name, drawing)
		}
	}
}
