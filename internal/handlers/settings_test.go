package handlers_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
)

var (
	inputPattern     = regexp.MustCompile(`<input[^>]*>`)
	attributePattern = regexp.MustCompile(`([a-z-]+)(?:="([^"]*)")?`)
)

// formOf reads the fields of a page's form as a browser would post them.
func formOf(t *testing.T, page string) url.Values {
	t.Helper()
	v := url.Values{}
	_, page, _ = strings.Cut(page, "<main")
	for _, tag := range inputPattern.FindAllString(page, -1) {
		a := map[string]string{}
		for _, m := range attributePattern.FindAllStringSubmatch(tag, -1) {
			a[m[1]] = html.UnescapeString(m[2])
		}
		_, checked := a["checked"]
		if a["name"] == "" || (a["type"] == "checkbox" || a["type"] == "radio") && !checked {
			continue
		}
		v.Set(a["name"], a["value"])
	}
	return v
}

// saved is a form with changes, saved; "-" takes a field away.
func saved(form url.Values, changes ...string) url.Values {
	out := url.Values{}
	for k := range form {
		out.Set(k, form.Get(k))
	}
	out.Set("do", "save")
	for i := 0; i < len(changes); i += 2 {
		if out.Set(changes[i], changes[i+1]); changes[i+1] == "-" {
			out.Del(changes[i])
		}
	}
	return out
}

func id(a *apptest.App, login string) string { return strconv.FormatInt(a.Who(login).UserID, 10) }

// edited changes a setting on its page.
func edited(t *testing.T, c *apptest.Client, name string, changes ...string) {
	t.Helper()
	path := "/settings/" + name
	if res := c.Post(path, saved(formOf(t, c.Get(path).Body), changes...)); res.Status != http.StatusSeeOther || res.Location != path {
		t.Fatalf("%s: %d\n%s", name, res.Status, res.Body)
	}
}

// agreed has a supervisor agree to what waits.
func agreed(t *testing.T, c *apptest.Client, name string, version int) {
	t.Helper()
	path := "/settings/" + name
	res := c.Post(path+"/agreement", url.Values{"version": {strconv.Itoa(version)}, "do": {"agree"}})
	if res.Status != http.StatusSeeOther || res.Location != path {
		t.Fatalf("%s, version %d: %d\n%s", name, version, res.Status, res.Body)
	}
}

// A form as it stands saves nothing; with a change it is the next version.
func TestSettings_FormsOfEveryPageAreAccepted(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou, shen, he := a.As("zhou"), a.As("shen"), a.As("he")
	for name, change := range map[string][]string{
		"reasons": {"reason.2.zh", "商品没取"}, "limits": {"agent.per", "200"}, "tiers": {"tier.1.from", "1000", "tier.1.who", "all"},
		"flags": {"share", "40"}, "hours": {"day.0.open", "-"},
	} {
		path := "/settings/" + name
		edited(t, zhou, name)
		page := zhou.Get(path)
		form := formOf(t, page.Body)
		if !strings.Contains(page.Body, "没有改动") || form.Get("n") != "0" {
			t.Errorf("%s: a version without a change", name)
		}
		look := saved(form, change...)
		look.Set("do", "look") // Enter
		if res := zhou.Post(path, look); res.Status != http.StatusOK || formOf(t, res.Body).Get("n") != "0" {
			t.Errorf("%s: %d", name, res.Status)
		}
		edited(t, zhou, name, change...)
		if page = zhou.Get(path); formOf(t, page.Body).Get("n") != "1" || !strings.Contains(page.Body, "已保存") {
			t.Errorf("%s: not the next version", name)
		}
		history := zhou.Get(path + "/history").Body
		for _, want := range []string{"周启明", "第 1 版", "初始值", "恢复成这一版"} {
			if !strings.Contains(history, want) {
				t.Errorf("%s: %q is not in the history", name, want)
			}
		}
		for _, who := range []*apptest.Client{shen, he} {
			if page := who.Get(path); page.Status != http.StatusOK || strings.Contains(page.Body, `value="save"`) {
				t.Errorf("%s may be edited by others", name)
			}
			if page := who.Get(path + "/history"); page.Status != http.StatusOK || strings.Contains(page.Body, "恢复成这一版") {
				t.Errorf("%s may be restored by others", name)
			}
		}
	}
	set, err := a.Service.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if set.Reasons[2].ZH != "商品没取" || *set.Limits.Roles[correction.Agent].Per != 20000 || set.Tiers[1].From != 100000 || set.Flags.SharePermille != 400 || set.Hours[0] != (correction.Span{}) {
		t.Errorf("%+v", set)
	}
	if page := zhou.Get("/settings"); strings.Count(page.Body, "周启明 ·") < 5 {
		t.Error("the list does not say who changed what")
	}
}

// Everything that is wrong is told at once, at its field and on top, and nothing that
// was typed is lost.
func TestSettings_ProblemsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou := a.As("zhou")
	if page := zhou.Get("/settings/limits"); !strings.Contains(page.Body, "客服没有上限：任何金额都不用审批") {
		t.Error("no warning that nothing is limited")
	}
	lin := "person." + id(a, "lin") + "."
	res := zhou.Post("/settings/limits", saved(formOf(t, zhou.Get("/settings/limits").Body), "agent.per", "1,000", "agent.percent", "120", lin+"own", "1", lin+"day", "50<b>"))
	if res.Status != http.StatusUnprocessableEntity {
		t.Fatal(res.Status)
	}
	for _, want := range []string{`value="1,000"`, `value="120"`, `value="50&lt;b&gt;"`, "有 3 处需要改正", `href="#agent.per"`, `id="agent.per-problem"`, "3 个问题"} {
		if !strings.Contains(res.Body, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if formOf(t, res.Body).Get("n") != "0" {
		t.Error("the version is lost")
	}
	// A table with a gap names the merchants.
	a.Setting(correction.SettingLimits, correction.Limits{
		Roles: map[correction.Role]correction.Limit{correction.Supervisor: {Per: new(correction.Fen)}}, People: map[string]correction.Limit{id(a, "qian"): {}},
	})
	res = zhou.Post("/settings/tiers", saved(formOf(t, zhou.Get("/settings/tiers").Body), "tier.0.who", "named", "tier.0.person."+id(a, "zhou"), "1"))
	if res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, "没有人能批准：巷口小馆、") {
		t.Errorf("%d\n%s", res.Status, res.Body)
	}
	res = zhou.Post("/settings/limits", saved(formOf(t, zhou.Get("/settings/limits").Body), "person."+id(a, "zhou")+".own", "1"))
	if res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, "不能改自己的上限") {
		t.Errorf("their own limit: %d", res.Status)
	}
	for _, bad := range []url.Values{{"n": {"x"}, "do": {"save"}}, {"do": {"save"}, "agent.secret": {"1"}}, {"do": {"up-99"}}, {"do": {"steal"}}} {
		if res := zhou.Post("/settings/tiers", bad); res.Status != http.StatusBadRequest {
			t.Errorf("%v: %d", bad, res.Status)
		}
	}
}

// Somebody was faster: both values are shown, what was typed is kept, and saving again
// takes the place of the other's.
func TestSettings_Conflict(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou, qian := a.As("zhou"), a.As("qian")
	mine := formOf(t, zhou.Get("/settings/limits").Body)
	edited(t, qian, "limits", "agent.per", "150")
	res := zhou.Post("/settings/limits", saved(mine, "agent.per", "80"))
	if res.Status != http.StatusConflict {
		t.Fatal(res.Status)
	}
	for _, want := range []string{"钱敏 在 ", "不超过 ¥150.00", "不超过 ¥80.00", `value="80"`} {
		if !strings.Contains(res.Body, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if again := zhou.Post("/settings/limits", saved(formOf(t, res.Body))); again.Status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", again.Status, again.Body)
	}
	set, err := a.Service.Settings(t.Context())
	if err != nil || *set.Limits.Roles[correction.Agent].Per != 8000 || set.N[correction.SettingLimits] != 2 {
		t.Errorf("%+v %v", set.Limits, err)
	}
	// A row that moves does not hide the conflict: the version travels with the form.
	mine = formOf(t, zhou.Get("/settings/reasons").Body)
	edited(t, qian, "reasons", "reason.0.zh", "设备坏了")
	moved := saved(mine)
	moved.Set("do", "down-0")
	step := zhou.Post("/settings/reasons", moved)
	if res := zhou.Post("/settings/reasons", saved(formOf(t, step.Body))); res.Status != http.StatusConflict {
		t.Errorf("%d", res.Status)
	}
}

// Of many who save at once from the same version, one wins.
func TestSettings_OneOfManyWins(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	who := []correction.Actor{a.Who("zhou"), a.Who("qian")}
	const rounds, each = 20, 8
	for n := range rounds {
		var mu sync.Mutex
		won, told := 0, 0
		var wg sync.WaitGroup
		for i := range each {
			wg.Go(func() {
				typed := correction.Typed{"agent.per": fmt.Sprintf("%d.%02d", rounds-n, i)} // lower and lower
				problems, done, err := a.Service.EditSetting(t.Context(), who[i%2], correction.SettingLimits, n, typed, "127.0.0.1")
				mu.Lock()
				defer mu.Unlock()
				switch {
				case done == correction.SavedNow:
					won++
				case correction.CodeOf(err) == correction.CodeEdited:
					told++
				default:
					t.Errorf("%v %v", problems, err)
				}
			})
		}
		wg.Wait()
		if won != 1 || told != each-1 {
			t.Fatalf("round %d: %d won, %d were told", n, won, told)
		}
	}
}

func TestSettings_RowsMoveWithoutScripts(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou, lin := a.As("zhou"), a.As("lin")
	press := func(page, do string, changes ...string) string {
		t.Helper()
		v := saved(formOf(t, page), changes...)
		v.Set("do", do)
		res := zhou.Post("/settings/reasons", v)
		if res.Status != http.StatusOK {
			t.Fatalf("%s: %d\n%s", do, res.Status, res.Body)
		}
		return res.Body
	}
	page := press(zhou.Get("/settings/reasons").Body, "up-1")
	page = press(page, "add")
	page = press(page, "down-2", "reason.6.code", "late_return", "reason.6.zh", "晚还", "reason.6.en", "Late return", "reason.6.outgoing", "已按约定减免超时费用。", "reason.6.needs_note", "1")
	page = press(page, "add")
	page = press(page, "remove-7", "reason.7.code", "nonsense")
	if res := zhou.Post("/settings/reasons", saved(formOf(t, page))); res.Status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	set, err := a.Service.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, r := range set.Reasons {
		codes = append(codes, r.Code)
	}
	if got := strings.Join(codes, " "); got != "timing device_fault double_charge not_taken complaint other late_return" {
		t.Errorf("%s", got)
	}
	if last := set.Reasons[6]; !last.NeedsNote || last.Outgoing != "已按约定减免超时费用。" || last.EN != "Late return" {
		t.Errorf("%+v", last)
	}
	// The new reason is on the form of the next correction; a retired one is not.
	if form := lin.Get(bankPath + "/correction"); !strings.Contains(form.Body, `value="late_return"`) {
		t.Error("agents cannot choose it")
	}
	edited(t, zhou, "reasons", "reason.6.retired", "1")
	if form := lin.Get(bankPath + "/correction"); strings.Contains(form.Body, `value="late_return"`) {
		t.Error("a retired reason can be chosen")
	}
}

// An old value becomes a new version, judged by what there is now.
func TestSettings_Restore(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou := a.As("zhou")
	restore := func(name string, n, now int) apptest.Answer {
		return zhou.Post("/settings/"+name+"/restore", url.Values{"n": {strconv.Itoa(n)}, "now": {strconv.Itoa(now)}})
	}
	edited(t, zhou, "flags", "share", "40")
	edited(t, zhou, "flags", "share", "30")
	if res := restore("flags", 1, 1); res.Status != http.StatusConflict || !strings.Contains(res.Body, "没有恢复") {
		t.Errorf("from an old page: %d", res.Status)
	}
	if res := restore("flags", 9, 2); res.Status != http.StatusNotFound {
		t.Errorf("no such version: %d", res.Status)
	}
	qian := a.As("qian")
	for now, n := range map[int]int{2: 1} { // back to more: takes another supervisor
		if res := restore("flags", n, now); res.Status != http.StatusSeeOther {
			t.Fatalf("%d\n%s", res.Status, res.Body)
		}
		if set, err := a.Service.Settings(t.Context()); err != nil || set.Flags.SharePermille != 300 {
			t.Errorf("restoring loosens, and nobody agreed: %+v %v", set.Flags, err)
		}
		agreed(t, qian, "flags", 3)
	}
	if set, err := a.Service.Settings(t.Context()); err != nil || set.Flags.SharePermille != 400 {
		t.Errorf("%+v %v", set.Flags, err)
	}
	if res := restore("flags", 0, 3); res.Status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	agreed(t, qian, "flags", 4)
	set, err := a.Service.Settings(t.Context())
	if err != nil || set.Flags != correction.DefaultFlagRules || set.N[correction.SettingFlags] != 4 {
		t.Errorf("%+v %v", set.Flags, err)
	}
	// A reason that came later is kept, retired.
	edited(t, zhou, "reasons", "reason.6.code", "late_return", "reason.6.zh", "晚还", "reason.6.en", "Late return")
	if res := restore("reasons", 0, 1); res.Status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	if set, err = a.Service.Settings(t.Context()); err != nil || len(set.Reasons) != 7 || !set.Reasons[6].Retired {
		t.Errorf("%+v %v", set.Reasons, err)
	}
	// Tiers whose approver has left are not restored.
	edited(t, zhou, "tiers", "tier.1.from", "1000", "tier.1.who", "named", "tier.1.person."+id(a, "qian"), "1")
	edited(t, zhou, "tiers", "tier.1.who", "all", "tier.1.person."+id(a, "qian"), "-")
	agreed(t, qian, "tiers", 2)
	if err := a.Store.SetDisabled(t.Context(), "qian", true); err != nil {
		t.Fatal(err)
	}
	if res := restore("tiers", 1, 2); res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, "钱敏 不是在用的主管") {
		t.Errorf("%d\n%s", res.Status, res.Body)
	}
}

// Each edit is on record with who, from where, before and after.
func TestSettings_EveryEditIsLogged(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou, he := a.As("zhou"), a.As("he")
	edited(t, zhou, "flags", "share", "40")
	edited(t, zhou, "flags", "share", "30")
	list, err := a.Store.SettingHistory(t.Context(), correction.SettingFlags, 10)
	if err != nil || len(list) != 2 || list[0].ActorName != "周启明" || list[0].At.IsZero() {
		t.Fatalf("%+v %v", list, err)
	}
	if history := zhou.Get("/settings/flags/history").Body; !strings.Contains(history, "超过订单的 40%") || !strings.Contains(history, "超过订单的 30%") || !strings.Contains(history, "超过订单的 50%") {
		t.Error("the history does not say what it was and became")
	}
	if res := he.Post("/settings/merchants", saved(formOf(t, he.Get("/settings/merchants?edit="+bankMerchant).Body), "name", "溪桥充电")); res.Status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	edits, err := a.Store.CatalogHistory(t.Context(), correction.CatalogMerchants, 1)
	if err != nil || len(edits) != 1 {
		t.Fatal(edits, err)
	}
	var before, after correction.Merchant
	if err := json.Unmarshal(edits[0].Before, &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(edits[0].After, &after); err != nil {
		t.Fatal(err)
	}
	if e := edits[0]; before.Name != "溪桥充电宝" || after.Name != "溪桥充电" || e.ActorName != "何川" || e.IP != "127.0.0.1" || e.UserID != a.Who("he").UserID {
		t.Errorf("%+v", e)
	}
	history := zhou.Get("/settings/merchants/history").Body
	for _, want := range []string{"何川", "溪桥充电宝", "命令行"} {
		if !strings.Contains(history, want) {
			t.Errorf("%q is not in the history", want)
		}
	}
}

// What was done to a merchant or a service is taken back from its history, by operators.
func TestCatalog_TakeBack(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	he := a.As("he")
	for name, x := range map[string]struct{ key, change string }{"merchants": {bankMerchant, "溪桥充电"}, "services": {"2002100000000498310275514862033", "租借"}} {
		path := "/settings/" + name
		if res := he.Post(path, saved(formOf(t, he.Get(path+"?edit="+x.key).Body), "name", x.change, "industry", map[string]string{"merchants": "-", "services": "bike"}[name])); res.Status != http.StatusSeeOther {
			t.Fatalf("%s: %d\n%s", name, res.Status, res.Body)
		}
		history := he.Get(path + "/history").Body
		if strings.Count(history, "恢复成修改前") != 1 {
			t.Fatalf("%s: %d to take back", name, strings.Count(history, "恢复成修改前"))
		}
		if res := he.Post(path, saved(formOf(t, history))); res.Status != http.StatusSeeOther {
			t.Fatalf("%s: %d\n%s", name, res.Status, res.Body)
		}
		if page := a.As("zhou").Get(path + "/history"); strings.Contains(page.Body, "恢复成修改前") {
			t.Errorf("%s: a supervisor may take it back", name)
		}
	}
	m, err := a.Store.Merchant(t.Context(), bankMerchant)
	o, oerr := a.Store.Offering(t.Context(), "2002100000000498310275514862033")
	if err != nil || oerr != nil || m.Name != "溪桥充电宝" || o != (correction.Offering{ServiceID: o.ServiceID, Name: "充电宝租借", Industry: "power_bank", Cap: 9900}) {
		t.Errorf("%+v %+v %v %v", m, o, err, oerr)
	}
}

func TestCatalog_AddEditAndConflict(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	he, zhou := a.As("he"), a.As("zhou")
	post := func(v url.Values, want int, says ...string) {
		t.Helper()
		res := he.Post("/settings/services", v)
		if res.Status != want {
			t.Errorf("%d, want %d\n%s", res.Status, want, res.Body)
		}
		for _, s := range says {
			if !strings.Contains(res.Body, s) {
				t.Errorf("%q is not on the page", s)
			}
		}
	}
	service := url.Values{"do": {"save"}, "was": {""}, "service_id": {"2002100000000599000000000000001"}, "name": {"共享雨伞"}, "industry": {"power_bank"}, "cap": {"30"}, "allow_zero": {"1"}}
	post(service, http.StatusSeeOther) // a zero that was refused is allowed: takes a supervisor
	if o, err := a.Store.Offering(t.Context(), service.Get("service_id")); err == nil {
		t.Errorf("nobody agreed: %+v", o)
	}
	agreed(t, zhou, "services", 1)
	o, err := a.Store.Offering(t.Context(), service.Get("service_id"))
	if err != nil || o.Cap != 3000 || !o.AllowZero || o.Name != "共享雨伞" || o.Industry != "power_bank" {
		t.Errorf("%+v %v", o, err)
	}
	// Once more as new: it is there, both are shown.
	post(saved(service, "name", "雨伞", "allow_zero", "-"), http.StatusConflict, "共享雨伞", `value="雨伞"`)
	edit := saved(service, "was", formOf(t, he.Get("/settings/services?edit="+o.ServiceID).Body).Get("was"), "cap", "")
	post(edit, http.StatusSeeOther)
	agreed(t, zhou, "services", 2)
	post(saved(edit, "cap", "40"), http.StatusConflict) // from what it was
	if o, err = a.Store.Offering(t.Context(), o.ServiceID); err != nil || o.Cap != 0 {
		t.Errorf("%+v %v", o, err)
	}
	post(saved(service, "service_id", "x y", "name", "", "cap", "1e3"), http.StatusUnprocessableEntity, "有 3 处", `value="1e3"`)
	post(saved(service, "was", "{"), http.StatusBadRequest)
	post(saved(edit, "service_id", "2002100000000599000000000000002"), http.StatusBadRequest) // another one than was shown
	if res := he.Get("/settings/services?edit=none"); res.Status != http.StatusNotFound {
		t.Errorf("%d", res.Status)
	}
	if res := he.Post("/settings/merchants", url.Values{"do": {"save"}, "was": {""}, "sub_mchid": {"1900022999"}, "name": {"新商户"}}); res.Status != http.StatusSeeOther {
		t.Errorf("%d\n%s", res.Status, res.Body)
	}
	if m, err := a.Store.Merchant(t.Context(), "1900022999"); err != nil || m.Name != "新商户" {
		t.Errorf("%+v %v", m, err)
	}
	if res := he.Post("/settings/merchants", url.Values{"do": {"save"}, "was": {`{"SubMchID":"1900022999","Name":"旧名"}`}, "sub_mchid": {"1900022999"}, "name": {"别名"}}); res.Status != http.StatusConflict || !strings.Contains(res.Body, "新商户") {
		t.Errorf("from what it was not: %d", res.Status)
	}
	if page := a.As("zhou").Get("/settings/merchants?add=1"); strings.Contains(page.Body, `value="save"`) || !strings.Contains(page.Body, "新商户") {
		t.Error("a supervisor may edit merchants")
	}
}
