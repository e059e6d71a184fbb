package filltest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"correction-console/internal/correction"
)

// Shape of what is filled in.
const (
	Agents      = 60 // ids 1 to 60, agent01 …
	Supervisors = 6  // ids 61 to 66, super1 …
	Merchants   = 40 // MerchantID(0) …
	Services    = 8  // ServiceID(0) …
	Days        = 1000
)

// End is when the newest correction was prepared, about.
var End = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// Start is when the oldest was.
var Start = End.Add(-Days * 24 * time.Hour)

// MerchantID is the number of a merchant.
func MerchantID(i int) string { return strconv.Itoa(1900000101 + 7*i) }

// ServiceID is the id of a service.
func ServiceID(i int) string { return strconv.Itoa(500001 + i) }

// AgentLogin is the login name of the agent with the id.
func AgentLogin(id int64) string { return fmt.Sprintf("agent%02d", id) }

// SupervisorLogin is the login name of a supervisor, from 1.
func SupervisorLogin(i int) string { return fmt.Sprintf("super%d", i) }

// Words that notes hold: in every other note, in some, and in one of a hundred thousand.
const (
	CommonWord = "退款"
	SomeWord   = "雨伞"
	RareWord   = "麒麟"
	RareRune   = "麟"
)

var (
	merchantNames = []string{"云海共享", "星河租赁", "绿洲出行", "晨光充电", "山河便利", "江南雨具", "北辰科技", "南风生活", "东篱文旅", "西岭户外"}
	cities        = []string{"北京", "上海", "杭州", "成都"}
	serviceNames  = []string{"共享充电宝", "共享雨伞", "储物柜", "无人售货", "骑行", "按摩椅", "游乐设备", "场馆门禁"}
	surnames      = []string{"林", "吴", "王", "周", "钱", "何", "沈", "陈", "杨", "黄"}
	given         = []string{"晓雯", "建国", "思远", "佳宁", "文博", "雨桐"}
	phrases       = []string{
		"用户来电要求退款", "设备无法归还", "柜门打不开", "扫码后没有弹出", "雨天归还点满了", "用户提供了照片", "二次核实无误", "系统重复计费",
		"退款给用户安抚", "押金问题已说明", "夜间信号不好", "已与店长确认", "客户情绪激动", "超时但未使用", "按协商结果处理",
	}
	some = []string{"借出的是雨伞", "电量不足", "轮椅通道", "发票抬头", "婴儿车", "导航偏差", "锁舌卡住", "屏幕碎裂"}
	rare = []string{"麒麟路网点", "饕餮广场店", "貔貅大厦", "蟾宫折桂"}
)

// random is splitmix64: the same numbers everywhere for the same seed.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) below(n int) int { return int(r.next() % uint64(n)) }

// skewed is below n, small numbers more often.
func (r *random) skewed(n int) int { return min(r.below(n), r.below(n)) }

func (r *random) perMille(n int) bool { return r.below(1000) < n }

func pick[T any](r *random, list []T) T { return list[r.below(len(list))] }

// states and their shares in a thousand.
var states = []struct {
	state    correction.State
	share, n int // n: the number of its event
}{
	{correction.Applied, 780, 4}, {correction.Expiry, 60, 2}, {correction.Withdrawn, 50, 2}, {correction.Rejected, 25, 4}, {correction.NotSent, 12, 4},
	{correction.Stale, 25, 3}, {correction.AppliedLate, 4, 6}, {correction.NotApplied, 8, 5}, {correction.Resolved, 3, 6}, {correction.Declined, 12, 3},
	{correction.Returned, 20, 3}, {correction.NeedsPerson, 1, 5},
}

// row is one correction with everything that belongs to it.
type row struct {
	id           int64
	merchant     int
	service      string
	order        string
	base, target int64
	author       int64
	prepared     int64
	asks         bool
	reason       correction.Reason
	outgoing     string
	ticket, note string
	confirmHash  []byte
	nonce        []byte
	baseHash     []byte
	bodyHash     []byte
	body, json   []byte
	state        correction.State
	n            int
	at           int64
	requestID    string
	settled      string
	review       string
	approver     int64
	flags        []string
	devices      []string
	holds        bool
	spent        bool
	detail       []byte
}

// source makes the rows of a database of total corrections.
type source struct {
	r       random
	total   int
	devices int
	orders  [512]struct { // of corrections a while ago
		no       string
		merchant int
	}
}

func newSource(total int, seed uint64) *source {
	return &source{r: random(seed), total: total, devices: max(50, total/250)}
}

func (s *source) next(id int64) row {
	r := &s.r
	c := row{id: id, merchant: r.skewed(Merchants), author: int64(1 + r.skewed(Agents))}
	i := int(id) - 1
	c.service = ServiceID((c.merchant + r.skewed(3)) % Services)
	c.order = fmt.Sprintf("PB%08d", 20_000_000+i*7)
	old := &s.orders[r.below(len(s.orders))]
	newest := i >= s.total-200
	if old.no != "" && !newest && r.perMille(20) {
		c.order, c.merchant = old.no, old.merchant
	}
	old.no, old.merchant = c.order, c.merchant

	// The clock goes a few minutes back now and then.
	c.prepared = Start.UnixMilli() + after(i, s.total) + int64(r.below(60_000))
	if r.perMille(2) {
		c.prepared -= int64(r.below(600_000))
	}
	c.base = int64(100 + 10*r.skewed(3000))
	if r.perMille(30) {
		c.base *= 20
	}
	switch k := r.below(100); {
	case k < 6:
		c.target = 0
	case k < 60: // a round reduction
		c.target = max(0, c.base-int64(100*(1+r.skewed(30))))
	default:
		c.target = c.base * int64(r.below(1000)) / 1000
	}
	c.asks = c.target == 0
	c.reason = pick(r, correction.DefaultReasons)
	c.outgoing = c.reason.Outgoing
	if c.outgoing == "" || r.perMille(50) {
		c.outgoing = "已核实：" + pick(r, phrases)
	}
	if r.perMille(450) {
		c.note = pick(r, phrases)
		if r.perMille(20) {
			c.note += "，" + pick(r, some)
		}
	}
	if i%100_003 == 77 || r.below(400_000) == 0 {
		c.note = rare[i%len(rare)] + c.note
	}
	if i%1009 == 5 { // so that small databases have some too
		c.note = SomeWord + c.note
	}
	if r.perMille(200) {
		c.ticket = fmt.Sprintf("T-%06d", r.below(1_000_000))
	}
	c.devices = []string{fmt.Sprintf("D%05d", r.skewed(s.devices))}
	if r.perMille(100) {
		c.devices = append(c.devices, fmt.Sprintf("D%05d", r.skewed(s.devices)))
	}
	s.stand(&c, newest)
	s.bytes(&c)
	return c
}

// after is how many ms after the start the correction i of total was prepared,
// in whole ms.
func after(i, total int) int64 { return int64(i) * (Days * 24 * 3_600_000 / int64(total)) }

func (s *source) stand(c *row, newest bool) {
	r := &s.r
	k := r.below(1000)
	for _, st := range states {
		if c.state, c.n = st.state, st.n; k < st.share {
			break
		}
		k -= st.share
	}
	if newest {
		switch r.below(10) {
		case 0:
			c.state, c.n = correction.Prepared, 1
		case 1:
			c.state, c.n, c.holds = correction.Awaiting, 2, true
		case 2:
			c.state, c.n, c.holds = correction.Unknown, 4, true
		}
	}
	c.at = c.prepared + int64(1+r.below(90))*1000
	confirmed := c.state != correction.Expiry && c.state != correction.Withdrawn && c.state != correction.Prepared && c.state != correction.Awaiting &&
		c.state != correction.Declined && c.state != correction.Returned
	switch {
	case c.state == correction.Declined || c.state == correction.Returned:
		c.approver = int64(Agents + 1 + r.skewed(Supervisors))
	case confirmed && c.state != correction.Stale && r.perMille(50):
		c.approver = int64(Agents + 1 + r.skewed(Supervisors))
		c.n += 2
	}
	c.spent = confirmed && c.approver == 0
	if c.state == correction.Applied || c.state == correction.AppliedLate || c.state == correction.Rejected {
		c.requestID = fmt.Sprintf("08F7%010X-0", c.id*977)
		c.settled = string(correction.PaidNew)
	}
	if confirmed {
		if c.target == 0 {
			c.flags = append(c.flags, correction.FlagZero)
		} else if c.base-c.target > c.base/2 && r.perMille(500) {
			c.flags = append(c.flags, correction.FlagShare)
		}
		if r.perMille(60) {
			c.flags = append(c.flags, pick(r, []string{correction.FlagNear, correction.FlagDevice, correction.FlagOrder, correction.FlagHours, correction.FlagFast, correction.FlagOther, correction.FlagPair}))
		}
		if len(c.flags) == 0 && r.perMille(100) {
			c.flags = append(c.flags, correction.FlagSampled)
		}
	}
	if c.state.Final() && !newest {
		switch k := r.below(1000); {
		case k < 600:
			c.review = string(correction.ReviewFine)
		case k < 605:
			c.review = string(correction.ReviewQueried)
		case k < 610:
			c.review = string(correction.ReviewAnswered)
		case k < 622:
			c.review = string(correction.ReviewWrong)
		}
		if c.review != "" {
			c.n++
		}
	}
	d := correction.Detail{RequestID: c.requestID, Settled: correction.Settlement(c.settled)}
	if c.approver != 0 && !confirmed {
		d.Text = "请补充说明"
	}
	detail, err := json.Marshal(d)
	if err != nil { // our own type: cannot fail
		panic(err)
	}
	c.detail = detail
}

// bytes makes the body and the base with their hashes, and a confirm hash that grows, as
// its index likes it.
func (s *source) bytes(c *row) {
	device := correction.Device{Start: c.devices[0]}
	if len(c.devices) > 1 {
		device.End = c.devices[1]
	}
	c.body = correction.Request{
		ServiceID: c.service, SubMchID: MerchantID(c.merchant), Lines: []correction.Line{{Name: "费用", Amount: correction.Fen(c.target), HasAmount: true}},
		Total: correction.Fen(c.target), Reason: c.outgoing, Device: device,
	}.Body()
	base, hash := correction.Order{
		SubMchID: MerchantID(c.merchant), ServiceID: c.service, OutOrderNo: c.order, State: correction.OrderDoing, StateDescription: correction.MchComplete,
		Total: correction.Fen(c.base), HasTotal: true,
		Collection: correction.Collection{State: correction.UserPaying, Total: correction.Fen(c.base), Paying: correction.Fen(c.base)},
	}.Snapshot()
	body := sha256.Sum256(c.body)
	c.json, c.baseHash, c.bodyHash = base, hash[:], body[:]
	c.confirmHash = make([]byte, 32)
	binary.BigEndian.PutUint64(c.confirmHash, uint64(c.id))
	c.nonce = c.confirmHash[:16]
}
