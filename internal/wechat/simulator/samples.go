package simulator

import (
	"time"

	"correction-console/internal/correction"
)

// Numbers of the demo's merchants and services.
const (
	retailMch, bankMch, pileMch, mealMch  = "1900021777", "1900021408", "1900020900", "1900000109"
	bikeMch, expressMch, rentMch, stayMch = "1900021915", "1900022036", "1900022254", "1900022371"

	retailSvc  = "2002100000000412750196832417010"
	bankSvc    = "2002100000000498310275514862033"
	ebikeSvc   = "2002100000000503177642980015528"
	carSvc     = "2002100000000503177642980015744"
	mealSvc    = "2002000000000558128851361561536"
	bikeSvc    = "2002100000000561920344871206619"
	expressSvc = "2002100000000577043198256630470"
	rentSvc    = "2002100000000580316627419953082"
	staySvc    = "2002100000000592281745063318407"
)

// DemoMerchants are the merchants of the sample orders.
func DemoMerchants() []correction.Merchant {
	return []correction.Merchant{
		{SubMchID: retailMch, Name: "青禾无人柜"},
		{SubMchID: bankMch, Name: "溪桥充电宝"},
		{SubMchID: pileMch, Name: "北栅充电桩"},
		{SubMchID: mealMch, Name: "巷口小馆"},
		{SubMchID: bikeMch, Name: "浅草单车"},
		{SubMchID: expressMch, Name: "岭南快运"},
		{SubMchID: rentMch, Name: "远山租车"},
		{SubMchID: stayMch, Name: "栖云酒店"},
	}
}

// DemoOfferings are the services of the sample orders.
func DemoOfferings() []correction.Offering {
	return []correction.Offering{
		{ServiceID: retailSvc, Name: "无人柜购物", Industry: "retail", Cap: 20000},
		{ServiceID: bankSvc, Name: "充电宝租借", Industry: "power_bank", Cap: 9900},
		{ServiceID: ebikeSvc, Name: "电动车充电", Industry: "ebike_charging", Cap: 5000},
		{ServiceID: carSvc, Name: "汽车充电", Industry: "car_charging", Cap: 50000},
		{ServiceID: mealSvc, Name: "先享后付就餐", Cap: 100000},
		{ServiceID: bikeSvc, Name: "单车骑行", Industry: "bike", Cap: 10000},
		{ServiceID: expressSvc, Name: "寄快递后付", Industry: "express", Cap: 50000},
		{ServiceID: rentSvc, Name: "免押租车", Industry: "car_rental", Cap: 500000, AllowZero: true},
		{ServiceID: staySvc, Name: "先住后付", Industry: "hotel", Cap: 300000},
	}
}

func goods(description string, amount correction.Fen, count int) correction.Line {
	return correction.Line{Name: correction.RepeatableName, Description: description, Amount: amount, HasAmount: true, Count: count}
}

func said(name, description string) correction.Line {
	return correction.Line{Name: name, Description: description}
}

func fee(name string, amount correction.Fen) correction.Line {
	return correction.Line{Name: name, Amount: amount, HasAmount: true}
}

func item(name, description string, amount correction.Fen, count int) correction.Line {
	return correction.Line{Name: name, Description: description, Amount: amount, HasAmount: true, Count: count}
}

// sample is an order of a service in the making.
type sample struct {
	subMchID, serviceID, introduction string
	risk                              correction.RiskFund
	at                                time.Time // when the use began
	from, to                          string
	number                            string // last digits of WeChat's own number
}

// completed is an order that the customer has still to pay: the kind that can be
// corrected.
func (p sample) completed(no string, lasted time.Duration, discounts []correction.Line, total correction.Fen, lines ...correction.Line) Order {
	o := p.created(no)
	o.State, o.StateDescription = correction.OrderDoing, correction.MchComplete
	o.EndTime, o.EndLocation = stamp(p.at.Add(lasted)), p.to
	o.Lines, o.Discounts, o.HasTotal = lines, discounts, true
	o.Collection.State = correction.UserPaying
	o.setTotal(total)
	return o
}

// created is an order that the customer has not confirmed yet.
func (p sample) created(no string) Order {
	return Order{Order: correction.Order{
		SubMchID: p.subMchID, ServiceID: p.serviceID, OutOrderNo: no, Introduction: p.introduction,
		OrderID: "1000000000" + p.at.In(beijing).Format("20060102150405") + p.number,
		State:   correction.OrderCreated, RiskFund: p.risk, StartTime: stamp(p.at), StartLocation: p.from,
	}}
}

// running is an order whose use has begun and not ended.
func (p sample) running(no string, lines ...correction.Line) Order {
	o := p.created(no)
	o.State, o.StateDescription, o.Lines = correction.OrderDoing, correction.UserConfirm, lines
	return o
}

// Samples are orders of every industry with a rule page (domain.md §10) and in
// every state, around the time now. All lines keep the industries' rules.
func Samples(now time.Time) []Order {
	ago := func(hours, minutes int) time.Time {
		return now.Add(-time.Duration(hours)*time.Hour - time.Duration(minutes)*time.Minute)
	}
	deposit := func(amount correction.Fen) correction.RiskFund {
		return correction.RiskFund{Name: "DEPOSIT", Amount: amount}
	}
	estimate := func(amount correction.Fen) correction.RiskFund {
		return correction.RiskFund{Name: "ESTIMATE_ORDER_COST", Amount: amount}
	}
	none := []correction.Line(nil)
	var all []Order
	add := func(o Order, set ...func(*Order)) {
		for _, f := range set {
			f(&o)
		}
		all = append(all, o)
	}
	pay := func(o *Order) { paid(o, now.Add(-10*time.Minute)) }

	// Power banks: no line carries an amount, the total stands alone.
	bank := sample{bankMch, bankSvc, "充电宝租借", deposit(9900), ago(53, 20), "望江路地铁站3号柜", "溪桥生活广场1号柜", "0099001"}
	tariff := said("收费标准", "2元/小时，封顶99元")
	add(bank.completed("PB_20261123_0099", 52*time.Hour, none, 9900, tariff, said("使用时长", "52小时10分"))) // billed ¥99, real use ¥10
	add(bank.completed("PB-20261123|07*2", 3*time.Hour, none, 600, tariff, said("使用时长", "3小时")))
	add(bank.completed("PB_20261123_0131", 7*time.Hour, none, 1400, tariff, said("使用时长", "7小时")), func(o *Order) { o.Charging = true })
	add(bank.completed("PB_20261122_0077", 9*time.Hour, none, 1800, tariff, said("使用时长", "9小时")), pay)
	add(bank.completed("PB_20261121_0012", 26*time.Hour, none, 5200, tariff, said("使用时长", "26小时")), func(o *Order) { o.Deposit = true })
	add(bank.running("PB_20261123_0188", tariff))

	// Unattended retail: one line a product, all of the same name.
	retail := sample{retailMch, retailSvc, "无人柜购物", estimate(20000), ago(5, 40), "滨河路88号大堂", "滨河路88号大堂", "0844001"}
	add(retail.completed("QH-20261123-0844170093", 3*time.Minute, []correction.Line{item("新客立减", "首次开柜立减5元", 500, 1)}, 17220,
		goods("冰美式咖啡 300ml", 1980, 2), goods("鸡胸肉三明治", 1590, 1), goods("每日坚果礼盒 750g", 12800, 1), goods("苏打水 480ml", 1350, 3)))
	add(retail.completed("QH-20261123-0911050021", 2*time.Minute, none, 900, goods("可乐", 600, 2), goods("雪碧", 300, 1)))
	add(retail.completed("QH-20261123-1002330044", time.Minute, none, 1, goods("店庆赠饮", 1, 1))) // nothing below but zero
	add(retail.completed("QH-20261123-1015270050", time.Minute, none, 0, goods("店庆赠饮", 0, 1)),
		func(o *Order) { o.Collection = correction.Collection{} }) // completed at zero: nothing to collect
	add(retail.completed("QH-20261122-1840090310", 2*time.Minute, none, 2680, goods("低温酸奶", 1280, 2), goods("全麦吐司", 1400, 1)), pay)

	// Charging points.
	ebike := sample{pileMch, ebikeSvc, "电动车充电", deposit(5000), ago(9, 5), "北栅新村12号棚", "北栅新村12号棚", "3180001"}
	add(ebike.completed("BZ-E20261123*0041", 6*time.Hour, none, 600, said("收费标准", "1元/1小时"), said("使用时长", "6小时12分20秒")))
	car := sample{pileMch, carSvc, "汽车充电", deposit(50000), ago(7, 30), "北栅东路快充站2号枪", "北栅东路快充站2号枪", "3180002"}
	add(car.completed("BZ-C20261123*0318", 80*time.Minute, none, 6840, said("计费规则", "电费0.9元/度，服务费0.6元/度"), said("费用明细", "电费41.04元，服务费27.36元")))

	// Shared bikes: amounts on fees only.
	bike := sample{bikeMch, bikeSvc, "单车骑行", deposit(10000), ago(4, 15), "文二路口", "西溪北门", "1507001"}
	rules, rode := said("计费规则", "1.5元/30分钟"), said("骑行时长", "1小时50分")
	add(bike.completed("QC_BK2026112300571", 110*time.Minute, none, 2600, rules, rode, fee("骑行费用", 600), fee("调度费用", 2000)))
	add(bike.created("QC_BK2026112300602"))

	// Express.
	express := sample{expressMch, expressSvc, "寄快递", estimate(50000), ago(28, 0), "", "", "2260001"}
	add(express.completed("LN20261122|KY0033", 20*time.Hour, none, 3300, fee("首重费", 1200), fee("续重费", 1600), fee("包装费", 500)))
	add(express.created("LN20261022|KY0007"), func(o *Order) { o.State = correction.OrderExpired })

	// Car rental.
	rent := sample{rentMch, rentSvc, "免押租车", deposit(500000), ago(80, 0), "远山高铁站店", "远山高铁站店", "7004001"}
	add(rent.completed("YS-ZC-20261120-008", 72*time.Hour, none, 86600,
		item("租车相关费用", "经济型轿车3天", 71400, 3), item("加油费用", "还车补油20升", 15200, 1)))
	add(rent.completed("YS-ZC-20261123-0318", 26*time.Hour, none, 31800, // what an agent may not give up alone in the demo
		item("租车相关费用", "经济型轿车1天", 23800, 1), item("延迟还车费用", "超时2小时", 8000, 1)))
	add(rent.completed("YS-ZC-20261121-0021", 70*time.Hour, none, 268000, // of the demo's top tier
		item("租车相关费用", "商务车3天", 148000, 3), item("车损费用", "后保险杠划痕", 120000, 1)))
	add(rent.created("YS-ZC-20261119-003"), func(o *Order) { o.State = correction.OrderRevoked })

	// Hotels.
	stay := sample{stayMch, staySvc, "先住后付", estimate(300000), ago(40, 0), "", "", "5120001"}
	add(stay.completed("XY20261121-1208", 36*time.Hour, []correction.Line{item("会员立减", "会员入住优惠", 3000, 1)}, 74800,
		item("酒店房费", "高级大床房2晚", 75600, 0), item("其他杂费", "迷你吧", 2200, 0)))

	// The order of the modify call's own example: no industry has rules for it.
	meal := sample{mealMch, mealSvc, "就餐", estimate(100000), ago(2, 30), "巷口小馆南门店", "巷口小馆南门店", "1234001"}
	add(meal.completed("1234323JKHDFE1243252", 95*time.Minute, []correction.Line{item("满20减1元", "不与其他优惠叠加", 100, 2)}, 50000,
		item("就餐费用", "就餐人均100元", 50100, 4)))
	return all
}
