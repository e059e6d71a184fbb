package pages

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
)

// level is how well something is, the worst first.
type level int

const (
	levelBad level = iota
	levelWarn
	levelUnknown
	levelOK
)

// check is one thing that was looked at: how it stands, and what to do if anything.
type check struct {
	level          level
	name, now, fix string
}

// checks are all that was looked at, the worst first.
func (p OperationsProps) checks() []check {
	if !p.KnowsHealth {
		return nil
	}
	out := []check{p.answers(), p.hosts(), p.clock(), p.disk(), p.database(), p.journal(), p.checkpoints(), p.olderCopies(), p.results(), p.aftermath()}
	if p.Health.ReloadFault != "" {
		out = append(out, p.keys())
	}
	slices.SortStableFunc(out, func(a, b check) int { return int(a.level - b.level) })
	return out
}

func tally(checks []check) (bad, warn int) {
	for _, c := range checks {
		switch c.level {
		case levelBad:
			bad++
		case levelWarn:
			warn++
		}
	}
	return bad, warn
}

func (p OperationsProps) warnings(n int) string {
	if n == 1 {
		return p.Page.T("1 项注意", "1 warning")
	}
	return p.Page.F("%d 项注意", "%d warnings", n)
}

func (p OperationsProps) answers() check {
	m, t := p.Health, p.Page.T
	c := check{name: t("微信应答", "WeChat's answers")}
	switch {
	case m.Settings.Kind != "":
		return p.settings(c)
	case m.LastAnswer.IsZero() && m.LastFailure.IsZero():
		c.level, c.now = levelUnknown, t("启动以后还没有问过", "not asked since the start")
	case m.LastFailure.After(m.LastAnswer):
		c.level = levelWarn
		c.now = p.Page.F("%s 没有问成（%s）", "%s: no success (%s)", p.Page.Stamp(m.LastFailure), m.LastFailureCode)
		if !m.LastAnswer.IsZero() {
			c.now += i18n.Mark(p.Page.Lang, "，", ", ") + p.Page.F("上次应答 %s", "last answer %s", p.Page.Stamp(m.LastAnswer))
		}
		c.fix = t("检查网络、代理和 CONSOLE_WECHAT_API_HOST。没有结果的改价会接着自动核对。", "Check the network, proxies and CONSOLE_WECHAT_API_HOST. Corrections without a result are read again by themselves.")
	default:
		c.level, c.now = levelOK, p.Page.F("最近一次 %s", "last one at %s", p.Page.Stamp(m.LastAnswer))
	}
	return c
}

// settings tells what WeChat's answers show of the settings for it. The words in brackets
// are WeChat's own.
func (p OperationsProps) settings(c check) check {
	f, t := p.Health.Settings, p.Page.T
	c.level = levelBad
	var said []string
	for _, s := range []string{f.Code, f.Message, f.RequestID} {
		if s != "" {
			said = append(said, s)
		}
	}
	switch f.Kind {
	case correction.WrongCredentials:
		c.now = t("微信不认我们的签名、证书或商户号", "WeChat does not accept our signature, certificate or merchant number")
		c.fix = t("对照商户平台检查 CONSOLE_WECHAT_MCHID、CONSOLE_WECHAT_CERT_SERIAL 和 CONSOLE_WECHAT_PRIVATE_KEY_FILE。", "Compare CONSOLE_WECHAT_MCHID, CONSOLE_WECHAT_CERT_SERIAL and CONSOLE_WECHAT_PRIVATE_KEY_FILE with the merchant platform.")
	case correction.NoPermission:
		c.now = t("微信说我们没有这项权限", "WeChat says that we lack the permission")
		c.fix = t("在商户平台检查支付分权限、子商户授权和服务 ID。", "On the merchant platform check the permission for Pay Score, the sub-merchant's authorisation and the service id.")
	default:
		c.now = t("微信应答的签名核验不过，一律没有采用", "the signatures of WeChat's answers do not verify; none is used")
		c.fix = t("检查 CONSOLE_WECHAT_PUBLIC_KEY_ID 和 CONSOLE_WECHAT_PUBLIC_KEY_FILE（或 CONSOLE_WECHAT_PLATFORM_CERT_FILES），再查网络里有没有代理。", "Check CONSOLE_WECHAT_PUBLIC_KEY_ID and CONSOLE_WECHAT_PUBLIC_KEY_FILE (or CONSOLE_WECHAT_PLATFORM_CERT_FILES), then whether a proxy is in between.")
	}
	c.now += p.Page.F("，%s", ", %s", p.Page.Stamp(f.At))
	if len(said) > 0 {
		c.now += p.Page.F("（%s）", " (%s)", strings.Join(said, i18n.Mark(p.Page.Lang, "，", ", ")))
	}
	return c
}

func (p OperationsProps) hosts() check {
	m, t := p.Health, p.Page.T
	c := check{level: levelOK, name: t("微信域名", "WeChat's host"), now: m.Host}
	if m.OnBackup {
		c.level = levelWarn
		c.now = p.Page.F("备用 %s", "backup %s", m.Host)
		if !m.Switched.IsZero() {
			c.now += p.Page.F("，从 %s 起", ", since %s", p.Page.Stamp(m.Switched))
		}
		c.fix = t("检查到主域名的网络。主域名恢复后会自动换回。", "Check the network to the main host. It is used again by itself once it can be reached.")
	}
	if m.Host == "" {
		c.level, c.now = levelUnknown, "—"
	}
	return c
}

func (p OperationsProps) clock() check {
	m, t := p.Health, p.Page.T
	c := check{name: t("时钟偏差", "Clock")}
	if m.SkewAt.IsZero() {
		c.level, c.now = levelUnknown, t("还没有量过，微信应答一次就知道", "not measured yet; WeChat's next answer tells")
		return c
	}
	c.now = p.Page.F("差 %s，%s 量的", "off by %s, measured at %s", p.seconds(m.Skew.Abs()), p.Page.Stamp(m.SkewAt))
	if m.SkewUnsigned {
		c.now += t("，按应答的 Date（没有签名）", ", by the Date of an answer, which is not signed")
	}
	if !m.SkewSure {
		c.level, c.fix = levelOK, ""
		if m.Skew.Abs() >= correction.WarnSkew {
			c.level, c.fix = levelWarn, t("只有一两次应答，还不能算数。再查几笔订单就清楚了。", "Only one or two answers say so, too few to rely on. A few more look-ups will tell.")
		}
		return c
	}
	c.fix = p.Page.F("用 NTP 校准。差到 %d 秒就发不出改价。", "Set it by NTP. From %d seconds on no correction is sent.", int(correction.RefuseSkew.Seconds()))
	switch skew := m.Skew.Abs(); {
	case skew >= correction.RefuseSkew:
		c.level, c.fix = levelBad, t("马上用 NTP 校准。现在发不出改价。", "Set it by NTP at once. No correction is sent now.")
	case skew >= correction.WarnSkew:
		c.level = levelWarn
	default:
		c.level, c.fix = levelOK, ""
	}
	return c
}

// seconds prints a duration in seconds with one decimal.
func (p OperationsProps) seconds(d time.Duration) string {
	tenths := d.Milliseconds() / 100
	return fmt.Sprintf("%d.%d", tenths/10, tenths%10) + p.Page.T(" 秒", " s")
}

func (p OperationsProps) disk() check {
	m, t := p.Health, p.Page.T
	c := check{name: t("磁盘空间", "Disk space")}
	if m.Free < 0 {
		c.level, c.now = levelUnknown, t("量不出来", "cannot be measured")
		return c
	}
	c.level, c.now = levelOK, p.Page.F("剩 %s", "%s free", size(m.Free))
	switch {
	case m.Free < m.MinFree:
		c.level = levelBad
		c.fix = p.Page.F("改价已暂停，因为低于 %s。请清理或扩容数据所在的磁盘。", "Corrections are paused, because it is below %s. Make room on the disk of the data folder.", size(m.MinFree))
	case m.Free < 4*m.MinFree:
		c.level = levelWarn
		c.fix = p.Page.F("低于 %s 会暂停改价。请清理或扩容数据所在的磁盘。", "Below %s corrections are paused. Make room on the disk of the data folder.", size(m.MinFree))
	}
	return c
}

func (p OperationsProps) database() check {
	t := p.Page.T
	if p.Health.StoreBroken {
		return check{levelBad, t("数据库", "Database"), t("磁盘读写出错", "its disk failed"), t("改价已暂停。程序会重启，请检查这块磁盘。", "Corrections are paused. The program restarts; look at the disk.")}
	}
	return check{levelOK, t("数据库", "Database"), size(p.Health.Database), ""}
}

func (p OperationsProps) journal() check {
	t := p.Page.T
	c := check{level: levelOK, name: t("第二份记录", "Second record"), now: p.Health.JournalFolder}
	switch {
	case p.JournalFailed:
		c.level, c.now = levelBad, p.Page.F("%s 写不进去", "%s cannot be written", p.Health.JournalFolder)
		c.fix = t("检查这个目录所在的磁盘和权限。写不进去时不发改价。", "Check its disk and permissions. Nothing is sent that cannot be written there.")
	case p.Health.JournalLacks:
		c.level, c.now = levelBad, p.Page.F("%s 里没有已经发出的改价", "%s does not know corrections that were sent", p.Health.JournalFolder)
		c.fix = t("原来的目录不见了，或者换成了旧的。把它放回去，再重启；找不到就留着这个，从现在起它又是全的。", "The former folder is missing, or an older one took its place. Put it back and restart. If it is gone, keep this one: it is complete from now on.")
	case p.Health.JournalSame:
		c.level = levelWarn
		c.now = p.Page.F("%s，和数据库在同一块磁盘", "%s, on the same disk as the database", p.Health.JournalFolder)
		c.fix = t("把 CONSOLE_JOURNAL 设到另一块磁盘，一块坏了还有另一份。", "Set CONSOLE_JOURNAL to another disk, so that one survives the other.")
	case p.Health.JournalFolder == "":
		c.level, c.now = levelUnknown, "—"
	}
	return c
}

func (p OperationsProps) checkpoints() check {
	m, t := p.Health, p.Page.T
	c := check{level: levelOK, name: t("校验点外送", "Checkpoints elsewhere")}
	switch {
	case m.PublishFault != "":
		c.level, c.now = levelBad, m.PublishFault
		c.fix = p.Page.F("检查存放的地方：%s。", "Look at where they go: %s.", m.CheckpointTo)
	case m.CheckpointTo == "":
		c.level, c.now = levelWarn, t("只留在这台机器", "they stay on this machine")
		c.fix = t("设置 CONSOLE_CHECKPOINT_FOLDER 或 CONSOLE_CHECKPOINT_URL。留在本机的证明不了有没有人改过本机。", "Set CONSOLE_CHECKPOINT_FOLDER or CONSOLE_CHECKPOINT_URL. What stays here proves nothing about who had this machine.")
	case m.PublishedAt.IsZero():
		c.level, c.now = levelUnknown, t("还没有送出过", "none has left yet")
	default:
		c.now = p.Page.F("上次 %s", "last one at %s", p.Page.Stamp(m.PublishedAt))
	}
	return c
}

// olderCopies tells whether the start would notice an older copy of the data folder.
func (p OperationsProps) olderCopies() check {
	t := p.Page.T
	c := check{level: levelOK, name: t("数据被换成旧副本", "Older copy of the data"), now: t("启动时能发现", "noticed at the start")}
	if p.Health.RollbackBlind {
		c.level, c.now = levelWarn, t("整个数据目录换成旧的，启动时看不出来", "an older copy of the whole data folder would not be noticed")
		c.fix = t("把 CONSOLE_JOURNAL 或 CONSOLE_CHECKPOINT_FOLDER 设到数据目录以外，最好在另一块磁盘。", "Set CONSOLE_JOURNAL or CONSOLE_CHECKPOINT_FOLDER to a place outside the data folder, best on another disk.")
	}
	return c
}

// keys are those that were to be read again and could not be taken.
func (p OperationsProps) keys() check {
	t := p.Page.T
	return check{
		levelBad, t("密钥和证书", "Keys and certificates"), p.Health.ReloadFault,
		p.Page.F("从 %s 起没有换上，还在用原来的。改好文件，再给进程发一次 SIGHUP。", "Not taken since %s; the former ones are still in use. Put the files right and send SIGHUP again.", p.Page.Stamp(p.Health.ReloadSince)),
	}
}

func (p OperationsProps) results() check {
	t := p.Page.T
	c := check{level: levelOK, name: t("改价结果", "Results"), now: t("没有拖过 10 分钟的", "none takes longer than 10 minutes")}
	if a := p.Concerns.Uncertain; a.Count > 0 {
		c.level = levelBad
		c.now = p.Page.F("%d 笔超过 10 分钟没有结果，最早从 %s 起", "%d without a result for more than 10 minutes, the oldest since %s", a.Count, p.Page.Stamp(a.Since))
		c.fix = t("多半是微信或网络不通，先看“微信应答”。系统在接着核对。", "Most often WeChat or the network is down; see WeChat's answers first. The console keeps checking.")
	}
	return c
}

// aftermath is what supervisors have to see to, as far as it alarms.
func (p OperationsProps) aftermath() check {
	t := p.Page.T
	c := check{level: levelOK, name: t("改价之后", "Afterwards"), now: t("订单都和结果一致", "orders agree with the results")}
	var parts []string
	if n := p.Concerns.Late.Count; n > 0 {
		parts = append(parts, p.Page.F("%d 笔原来判断没有改成，后来生效了", "%d took effect after they were held for not applied", n))
	}
	if n := p.Concerns.Lost.Count; n > 0 {
		parts = append(parts, p.Page.F("%d 笔已生效，订单却对不上", "%d applied, but the order says otherwise", n))
	}
	if len(parts) > 0 {
		c.level, c.now = levelWarn, strings.Join(parts, i18n.Mark(p.Page.Lang, "；", "; "))
		c.fix = t("要主管处理，主管的“我的”里列着。", "Supervisors have to see to it; their first page lists them.")
	}
	return c
}

type tile struct{ label, value, note string }

func (p OperationsProps) tiles() []tile {
	open := p.Page.T("系统在自动核对", "being checked")
	if a := p.Concerns.Uncertain; a.Count > 0 {
		open = p.Page.F("%d 笔超过 10 分钟", "%d for more than 10 minutes", a.Count)
	} else if p.Concerns.Open == 0 {
		open = p.Page.T("都有结果", "all have a result")
	}
	return []tile{
		{i18n.StateWord(correction.Unknown).In(p.Page.Lang), strconv.Itoa(p.Concerns.Open), open},
		{i18n.StateWord(correction.NeedsPerson).In(p.Page.Lang), strconv.Itoa(p.Concerns.Conflicts), p.Page.T("等两位主管", "wait for two supervisors")},
		{p.Page.T("跟进中", "Looked after"), strconv.Itoa(p.Counts.Unfinished), p.Page.F("启动以来发出 %d 笔", "%d sent since the start", p.Counts.Sent)},
		{p.Page.T("自动核对", "Looks"), strconv.FormatInt(p.Counts.Looks, 10), p.Page.F("启动以来，%d 次没读到", "since the start, %d failed", p.Counts.LookFailures)},
	}
}

// size prints bytes with one decimal.
func size(n int64) string {
	unit := int64(1)
	for _, name := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1024*unit {
			if unit == 1 {
				return strconv.FormatInt(n, 10) + " B"
			}
			tenths := n * 10 / unit
			return fmt.Sprintf("%d.%d %s", tenths/10, tenths%10, name)
		}
		unit *= 1024
	}
	tenths := n / (unit / 10)
	return fmt.Sprintf("%d.%d TiB", tenths/10, tenths%10)
}
