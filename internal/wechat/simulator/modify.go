package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"correction-console/internal/correction"
)

// change is a modify body that keeps all rules that do not depend on the order.
type change struct {
	serviceID, subMchID string
	lines, discounts    []correction.Line
	total               correction.Fen
}

// modify applies a modify call, or says why not (domain.md §1.3, §1.4).
func (s *Server) modify(q request) *refusal {
	if !correction.ValidOrderNo(q.no) {
		return param("out_order_no", "商户服务订单号格式错误")
	}
	c, refused := readChange(q.body)
	if refused != nil {
		return refused
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.orders[key{c.subMchID, q.no}]
	if e == nil {
		return notExist
	}
	now := s.clock()
	if s.minGap > 0 && !e.last.IsZero() && now.Sub(e.last) < s.minGap {
		return &refusal{429, "FREQUENCY_LIMITED", "请求过于频繁", "268435472", ""}
	}
	e.last = now
	if refused := e.order.refuse(c); refused != nil {
		return refused
	}
	o := &e.order
	o.Lines, o.Discounts = c.lines, c.discounts // both are replaced, also by nothing
	o.setTotal(c.total)
	s.applied[q.no]++
	s.log[q.post].Applied, s.log[q.post].AppliedAt = true, now
	return nil
}

// refuse tells why the change cannot be made to the order.
func (o Order) refuse(c change) *refusal {
	fund := o.RiskFund.Name != "" && o.RiskFund.Name != "ESTIMATE_ORDER_COST"
	switch {
	case c.serviceID != "" && c.serviceID != o.ServiceID:
		return &refusal{403, "NO_AUTH", "商户暂无权限使用此服务", "268503786", ""}
	case o.State == correction.OrderDone || o.Paid():
		return &refusal{400, "ORDER_DONE", "订单已完成", "271316657", ""}
	case o.State == correction.OrderRevoked:
		return &refusal{400, "ORDER_CANCELED", "单据已取消", "271302333", ""}
	case !o.Completed():
		return &refusal{400, "INVALID_ORDER_STATE", "当前订单状态不合法", "271302262", ""}
	case o.Charging:
		return busy // code and status behind it are not documented
	case o.Deposit:
		return business("押金订单的金额不支持修改", "271316658")
	case fund && c.total > o.RiskFund.Amount, o.Cap > 0 && c.total > o.Cap:
		return business("总金额超过此服务的服务风险金额", "271316656")
	case c.total >= o.Total: // code not documented
		return business("修改后的总金额须小于当前总金额", "271316659")
	}
	return nil
}

// readChange checks a body against the documented fields and limits.
func readChange(body []byte) (change, *refusal) {
	if !utf8.Valid(body) {
		return change{}, param("body", "包体须为UTF-8编码")
	}
	root, err := parse(body)
	if err != nil {
		return change{}, param("body", "请求包体不是合法的JSON: "+err.Error())
	}
	if _, there := root["out_order_no"]; there {
		return change{}, param("out_order_no", `无法将输入源"/body/out_order_no"映射到目标字段"商户服务订单号"中，此字段已被输入源"/uri_template/out_order_no"映射过了`)
	}
	f := &fields{}
	f.only("", root, "service_id", "sub_mchid", "post_payments", "post_discounts", "total_amount", "reason", "device")
	c := change{
		serviceID: f.text("", root, "service_id", 0, 32),
		subMchID:  f.text("", root, "sub_mchid", 1, 32),
		lines:     f.lines(root, "post_payments", 1, correction.MaxLines),
		discounts: f.lines(root, "post_discounts", 0, correction.MaxDiscounts),
	}
	total, there := f.integer("", root, "total_amount", 0, math.MaxInt64)
	if !there {
		f.fail("total_amount", "缺少总金额")
	}
	c.total = correction.Fen(total)
	f.text("", root, "reason", 1, correction.MaxReason)
	if v, there := root["device"]; there {
		if d, ok := v.(map[string]any); !ok {
			f.fail("device", "须为对象")
		} else {
			f.only("device.", d, "start_device_id", "end_device_id", "materiel_no")
			f.text("device.", d, "start_device_id", 0, correction.MaxDeviceID)
			f.text("device.", d, "end_device_id", 0, correction.MaxDeviceID)
			f.text("device.", d, "materiel_no", 0, correction.MaxMateriel)
		}
	}
	if f.refused == nil {
		f.sum(c)
	}
	return c, f.refused
}

// fields reads typed fields and keeps the first fault.
type fields struct{ refused *refusal }

func (f *fields) fail(field, message string) {
	if f.refused == nil {
		f.refused = param(field, message)
	}
}

func (f *fields) only(at string, o map[string]any, known ...string) {
	allowed := map[string]bool{}
	for _, k := range known {
		allowed[k] = true
	}
	for name, v := range o {
		switch {
		case !allowed[name]:
			f.fail(at+name, "请求中含有未在API文档中定义的参数")
		case v == nil:
			f.fail(at+name, "不允许为null")
		}
	}
}

// text reads a text of lo to hi characters; lo 0 means that it may be absent.
func (f *fields) text(at string, o map[string]any, name string, lo, hi int) string {
	v, there := o[name]
	if !there {
		if lo > 0 {
			f.fail(at+name, "缺少必填字段")
		}
		return ""
	}
	t, ok := v.(string)
	if !ok {
		f.fail(at+name, "须为字符串")
		return ""
	}
	if n := utf8.RuneCountInString(t); n < lo || n > hi {
		f.fail(at+name, fmt.Sprintf("长度须为%d到%d个字符，实为%d", lo, hi, n))
	}
	for _, r := range t {
		if r > 0xFFFF {
			f.fail(at+name, "不支持4字节字符")
		}
	}
	return t
}

func (f *fields) integer(at string, o map[string]any, name string, lo, hi int64) (int64, bool) {
	v, there := o[name]
	if !there {
		return 0, false
	}
	number, ok := v.(json.Number)
	if !ok {
		f.fail(at+name, "须为整数")
		return 0, false
	}
	n, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil || n < lo || n > hi {
		f.fail(at+name, "参数超出取值范围")
		return 0, false
	}
	return n, true
}

func (f *fields) lines(root map[string]any, list string, lo, hi int) []correction.Line {
	v, there := root[list]
	if !there && lo == 0 {
		return nil
	}
	items, ok := v.([]any)
	if !ok {
		f.fail(list, "须为数组")
		return nil
	}
	if len(items) < lo || len(items) > hi {
		f.fail(list, fmt.Sprintf("须为%d到%d条，实为%d条", lo, hi, len(items)))
	}
	var out []correction.Line
	seen := map[string]bool{}
	for i, item := range items {
		at := list + "/" + strconv.Itoa(i) + "/"
		m, ok := item.(map[string]any)
		if !ok {
			f.fail(at, "须为对象")
			continue
		}
		f.only(at, m, "name", "amount", "description", "count")
		l := correction.Line{Name: f.text(at, m, "name", 1, correction.MaxName), Description: f.text(at, m, "description", 0, correction.MaxDescription)}
		amount, there := f.integer(at, m, "amount", 0, math.MaxInt64)
		l.Amount, l.HasAmount = correction.Fen(amount), there
		count, _ := f.integer(at, m, "count", 1, correction.MaxCount)
		l.Count = int(count)
		switch {
		case !there && l.Description == "":
			f.fail(at+"amount", "amount与description至少填一项")
		case !there && list == "post_discounts":
			f.fail(at+"amount", "缺少优惠金额")
		case seen[l.Name] && !(list == "post_payments" && l.Name == correction.RepeatableName):
			f.fail(at+"name", "名称重复")
		}
		seen[l.Name] = true
		out = append(out, l)
	}
	return out
}

// sum checks total = lines − discounts. Whether the check is made when no line has
// an amount is not documented; such a total stands alone here, as the industries
// without amounts need it (domain.md §2).
func (f *fields) sum(c change) {
	if !correction.AnyAmount(c.lines) {
		return
	}
	var plus, minus []correction.Fen
	for _, l := range c.lines {
		plus = append(plus, l.Amount)
	}
	for _, l := range c.discounts {
		minus = append(minus, l.Amount)
	}
	p, err := correction.Sum(plus...)
	m, err2 := correction.Sum(minus...)
	if err != nil || err2 != nil || p-m != c.total {
		f.fail("total_amount", "最终总金额计算非法")
	}
}

// parse reads one JSON object without repeated keys.
func parse(body []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var root map[string]any
	if err := dec.Decode(&root); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("data after the end")
	}
	if root == nil {
		return nil, fmt.Errorf("null")
	}
	again := json.NewDecoder(bytes.NewReader(body))
	return root, unique(again)
}

func unique(dec *json.Decoder) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	d, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		if d == '{' {
			t, err := dec.Token()
			if err != nil {
				return err
			}
			name := strings.ToLower(t.(string)) // a key of an object is always a string
			if seen[name] {
				return fmt.Errorf("key %s repeated", name)
			}
			seen[name] = true
		}
		if err := unique(dec); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}
