package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"correction-console/internal/correction"
)

// Check reads the settings and returns every problem. dataDir is the data folder
// (CONSOLE_DATA).
func (s Settings) Check(dataDir string) (Config, []Problem) {
	c := Config{
		Listen: s.Listen, Data: dataDir, SessionKeyFile: s.SessionKeyFile, TLSCertFile: s.TLSCertFile, TLSKeyFile: s.TLSKeyFile,
		MchID: s.MchID, CertSerial: s.CertSerial, PrivateKeyFile: s.PrivateKeyFile, PublicKeyID: s.PublicKeyID, PublicKeyFile: s.PublicKeyFile,
		PlatformCertFiles: s.PlatformCertFiles, APIv3KeyFile: s.APIv3KeyFile, CAFile: s.CAFile, InsecureHTTP: s.InsecureHTTP,
	}
	k := checker{}
	k.local(&c, s)
	k.edge(&c, s)
	k.wechat(&c, s)
	k.record(&c, s)
	k.webhook(&c, s)
	return c, k.problems
}

// The forms of what the merchant platform shows: a serial number of 40 hexadecimal digits,
// and the id of WeChat Pay's public key.
var (
	serialPattern      = regexp.MustCompile(`^[0-9A-Fa-f]{40}$`)
	publicKeyIDPattern = regexp.MustCompile(`^PUB_KEY_ID_[0-9A-Za-z]{1,64}$`)
)

type checker struct{ problems []Problem }

func (k *checker) add(setting, value, fix string) {
	k.problems = append(k.problems, Problem{Setting: setting, Value: value, Fix: fix})
}

func (k *checker) local(c *Config, s Settings) {
	k.address("CONSOLE_LISTEN", s.Listen, "127.0.0.1:8080")
	if c.Data == "" {
		k.add("CONSOLE_DATA", "", "name the folder that holds the database")
	}
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || strings.Trim(u.Path, "/") != "" || strings.ContainsAny(s.PublicURL, "?#") || u.User != nil {
			k.add("CONSOLE_PUBLIC_URL", s.PublicURL, "write scheme and host only, such as https://console.example.com")
		} else {
			c.PublicURL = u
		}
		if err == nil && u.Scheme == "http" && s.TLSCertFile != "" {
			k.add("CONSOLE_PUBLIC_URL", s.PublicURL, "the console serves https itself (CONSOLE_TLS_CERT_FILE): write https://")
		}
	}
	if (s.TLSCertFile == "") != (s.TLSKeyFile == "") {
		k.add("CONSOLE_TLS_CERT_FILE", s.TLSCertFile, "set CONSOLE_TLS_CERT_FILE and CONSOLE_TLS_KEY_FILE together")
	}
	k.file("CONSOLE_TLS_CERT_FILE", s.TLSCertFile)
	k.file("CONSOLE_TLS_KEY_FILE", s.TLSKeyFile)
	k.file("CONSOLE_SESSION_KEY_FILE", s.SessionKeyFile)
	for _, p := range s.TrustedProxies {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(p)
		if addr, aerr := netip.ParseAddr(p); err != nil && aerr == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			k.add("CONSOLE_TRUSTED_PROXIES", p, "write an address or a range, such as 10.0.0.5 or 10.0.0.0/24")
			continue
		}
		c.TrustedProxies = append(c.TrustedProxies, prefix)
	}
	var err error
	if c.Zone, err = time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "" || s.TimeZone == "Local" {
		k.add("CONSOLE_TIME_ZONE", s.TimeZone, "write a zone name, such as Asia/Shanghai")
	}
}

// address checks an address to listen on.
func (k *checker) address(setting, value, example string) {
	host, port, err := net.SplitHostPort(value)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		k.add(setting, value, "write host:port, such as "+example)
	} else if host != "" && host != "localhost" && net.ParseIP(host) == nil {
		k.add(setting, value, "write an IP address of this machine before the colon")
	}
}

// Bounds of the settings of connections, and of what a token is worth something from.
const (
	minConnections = 8
	maxConnections = 65536
	minToken       = 16
)

// edge checks the settings of connections and of the metrics.
func (k *checker) edge(c *Config, s Settings) {
	c.Connections = k.number("CONSOLE_CONNECTIONS", s.Connections, minConnections, maxConnections)
	most := maxConnections
	if c.Connections > 0 {
		most = c.Connections
	}
	c.ConnectionsPerAddress = k.number("CONSOLE_CONNECTIONS_PER_ADDRESS", s.ConnectionsPerAddress, 1, most)
	if c.MetricsListen = s.MetricsListen; c.MetricsListen != "" {
		k.address("CONSOLE_METRICS_LISTEN", c.MetricsListen, "127.0.0.1:9090")
		if c.MetricsListen == s.Listen && !strings.HasSuffix(s.Listen, ":0") {
			k.add("CONSOLE_METRICS_LISTEN", c.MetricsListen, "that is CONSOLE_LISTEN: write an address of its own")
		}
	}
	c.MetricsToken = k.secret("CONSOLE_METRICS_TOKEN_FILE", s.MetricsTokenFile)
	if c.MetricsToken != "" && (len(c.MetricsToken) < minToken || strings.ContainsFunc(c.MetricsToken, func(r rune) bool { return r <= ' ' || r > '~' })) {
		k.add("CONSOLE_METRICS_TOKEN_FILE", s.MetricsTokenFile, "the file must hold a token of at least "+strconv.Itoa(minToken)+" visible ASCII characters in one line")
	}
}

// number reads a whole number.
func (k *checker) number(setting, value string, least, most int) int {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		k.add(setting, value, fmt.Sprintf("write a number from %d to %d", least, most))
		return 0
	}
	return n
}

func (k *checker) wechat(c *Config, s Settings) {
	c.APIHost = k.host("CONSOLE_WECHAT_API_HOST", s.APIHost)
	if s.BackupHost != "" {
		c.BackupHost = k.host("CONSOLE_WECHAT_BACKUP_HOST", s.BackupHost)
	}
	if !correction.ValidMchID(s.MchID) {
		k.add("CONSOLE_WECHAT_MCHID", s.MchID, "write the service provider's merchant number, digits only")
	}
	if !serialPattern.MatchString(s.CertSerial) {
		k.add("CONSOLE_WECHAT_CERT_SERIAL", s.CertSerial, "write the serial number of the merchant's API certificate: 40 hexadecimal digits, without colons")
	}
	if s.PrivateKeyFile == "" {
		k.add("CONSOLE_WECHAT_PRIVATE_KEY_FILE", "", "name the file of the API certificate's private key")
	}
	k.file("CONSOLE_WECHAT_PRIVATE_KEY_FILE", s.PrivateKeyFile)
	switch {
	case s.PublicKeyFile == "" && len(s.PlatformCertFiles) == 0:
		k.add("CONSOLE_WECHAT_PUBLIC_KEY_FILE", "", "name WeChat Pay's public key, or the platform certificates in CONSOLE_WECHAT_PLATFORM_CERT_FILES")
	case s.PublicKeyFile == "" && s.PublicKeyID != "":
		k.add("CONSOLE_WECHAT_PUBLIC_KEY_FILE", "", "name the public key that CONSOLE_WECHAT_PUBLIC_KEY_ID belongs to")
	case s.PublicKeyFile != "" && s.PublicKeyID == "":
		k.add("CONSOLE_WECHAT_PUBLIC_KEY_ID", "", "write the id that belongs to the public key, PUB_KEY_ID_…")
	}
	if s.PublicKeyID != "" && !publicKeyIDPattern.MatchString(s.PublicKeyID) {
		k.add("CONSOLE_WECHAT_PUBLIC_KEY_ID", s.PublicKeyID, "write the id as the merchant platform shows it: PUB_KEY_ID_ and digits")
	}
	k.file("CONSOLE_WECHAT_PUBLIC_KEY_FILE", s.PublicKeyFile)
	for _, f := range s.PlatformCertFiles {
		k.file("CONSOLE_WECHAT_PLATFORM_CERT_FILES", f)
	}
	k.file("CONSOLE_WECHAT_CA_FILE", s.CAFile)
	if k.file("CONSOLE_WECHAT_APIV3_KEY_FILE", s.APIv3KeyFile) && s.APIv3KeyFile != "" {
		if b, err := os.ReadFile(s.APIv3KeyFile); err != nil || len(strings.TrimSpace(string(b))) != 32 {
			k.add("CONSOLE_WECHAT_APIV3_KEY_FILE", s.APIv3KeyFile, "the file must hold the 32 characters of the APIv3 key")
		}
	}
	local := loopback(c.APIHost) && (c.BackupHost == "" || loopback(c.BackupHost))
	c.Timeout = k.duration("CONSOLE_WECHAT_TIMEOUT", s.Timeout, time.Second, 30*time.Second, local)
	c.Quiet = k.duration("CONSOLE_QUIET_TIME", s.QuietTime, correction.QuietTime, time.Hour, local)
	c.Recheck = k.duration("CONSOLE_RECHECK_INTERVAL", s.RecheckInterval, time.Second, time.Hour, local)
}

// LookupsFix says what a limit of look-ups may be.
const LookupsFix = "write a number from 1 to 10000, or 0 for no limit"

// ValidLookups reports whether n is a limit of look-ups a minute. Beyond, there might as
// well be none.
func ValidLookups(n int) bool { return n >= 0 && n <= 10_000 }

// record checks the settings of the journal and the proof.
func (k *checker) record(c *Config, s Settings) {
	c.Journal, c.CheckpointKeyFile, c.CheckpointFolder, c.CheckpointURL = s.Journal, s.CheckpointKeyFile, s.CheckpointFolder, s.CheckpointURL
	if c.Journal == "" {
		c.Journal = filepath.Join(c.Data, "journal")
	}
	if c.CheckpointKeyFile == "" {
		c.CheckpointKeyFile = filepath.Join(c.Data, "checkpoint.key")
	}
	if s.FollowDays < 1 || s.FollowDays > 365 {
		k.add("CONSOLE_FOLLOW_DAYS", strconv.Itoa(s.FollowDays), "write a number of days from 1 to 365")
	}
	c.FollowFor = time.Duration(s.FollowDays) * 24 * time.Hour
	if c.LookupsPerMinute = s.LookupsPerMinute; !ValidLookups(c.LookupsPerMinute) {
		k.add("CONSOLE_LOOKUPS_PER_MINUTE", strconv.Itoa(s.LookupsPerMinute), LookupsFix)
	}
	var err error
	if c.MinFree, err = parseBytes(s.MinFree); err != nil {
		k.add("CONSOLE_MIN_FREE", s.MinFree, "write a size, such as 512MiB or 2GiB; 0 turns the check off")
	}
	if s.CheckpointURL != "" {
		u, err := url.Parse(s.CheckpointURL)
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !(u.Scheme == "http" && loopback(s.CheckpointURL)) {
			k.add("CONSOLE_CHECKPOINT_URL", "", "write an https address; http is accepted on the loopback range only")
		}
	}
	c.CheckpointInterval = k.duration("CONSOLE_CHECKPOINT_INTERVAL", s.CheckpointInterval, time.Minute, 24*time.Hour, loopback(c.APIHost))
}

// webhook checks the settings of the robot that is told of approvals. Neither its
// address nor its secret is ever shown.
func (k *checker) webhook(c *Config, s Settings) {
	c.WebhookFormat = s.WebhookFormat
	c.WebhookURL = k.secret("CONSOLE_WEBHOOK_URL_FILE", s.WebhookURLFile)
	c.WebhookSecret = k.secret("CONSOLE_WEBHOOK_SECRET_FILE", s.WebhookSecretFile)
	if u, err := url.Parse(c.WebhookURL); c.WebhookURL != "" && (err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !(u.Scheme == "http" && loopback(c.WebhookURL))) {
		k.add("CONSOLE_WEBHOOK_URL_FILE", s.WebhookURLFile, "the file must hold an https address; http is accepted on the loopback range only")
	}
	switch {
	case s.WebhookURLFile == "" && (s.WebhookFormat != "" || s.WebhookSecretFile != ""):
		k.add("CONSOLE_WEBHOOK_URL_FILE", "", "name the file with the robot's address")
	case s.WebhookURLFile == "":
	case s.WebhookFormat != "wecom" && s.WebhookFormat != "dingtalk" && s.WebhookFormat != "feishu":
		k.add("CONSOLE_WEBHOOK_FORMAT", s.WebhookFormat, "write wecom, dingtalk or feishu")
	case s.WebhookFormat == "wecom" && s.WebhookSecretFile != "":
		k.add("CONSOLE_WEBHOOK_SECRET_FILE", s.WebhookSecretFile, "messages to WeCom are not signed: leave it out")
	}
}

// maxSecret is the size of a file with a secret, in bytes.
const maxSecret = 4096

// secret reads a text that nobody but the owner of its file may read.
func (k *checker) secret(setting, path string) string {
	if path == "" || !k.file(setting, path) {
		return ""
	}
	info, err := os.Stat(path)
	switch {
	case err != nil || !info.Mode().IsRegular() || info.Size() > maxSecret:
		k.add(setting, path, "that is no small file")
		return ""
	case info.Mode().Perm()&0o077 != 0:
		k.add(setting, path, "others than its owner may read it: run chmod 600")
		return ""
	}
	b, err := os.ReadFile(path)
	text := strings.TrimSpace(string(b))
	if err != nil || text == "" {
		k.add(setting, path, "the file is empty")
	}
	return text
}

var sizePattern = regexp.MustCompile(`^([0-9]{1,12})(KiB|MiB|GiB)?$`)

// parseBytes reads a size: bytes, or with a unit.
func parseBytes(s string) (int64, error) {
	m := sizePattern.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("%q is no size", s)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	shift := map[string]uint{"KiB": 10, "MiB": 20, "GiB": 30}[m[2]]
	if err != nil || n > 1<<50>>shift {
		return 0, fmt.Errorf("%q is too large", s)
	}
	return n << shift, nil
}

// host checks an API host: https, or http on the loopback range only.
func (k *checker) host(setting, value string) string {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http"):
		k.add(setting, value, "write scheme and host only, such as https://api.mch.weixin.qq.com")
		return ""
	case u.Scheme == "http" && !loopback(value):
		k.add(setting, value, "use https; http is accepted on the loopback range only")
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func loopback(host string) bool {
	u, err := url.Parse(host)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
}

// duration reads a duration. Values outside the safe bounds are accepted only with
// an API host on the loopback range, which is no real WeChat.
func (k *checker) duration(setting, value string, floor, ceiling time.Duration, local bool) time.Duration {
	d, err := time.ParseDuration(value)
	switch {
	case err != nil || d <= 0:
		k.add(setting, value, "write a duration, such as "+short(floor))
	case !local && d < floor:
		k.add(setting, value, "at least "+short(floor))
	case d > ceiling:
		k.add(setting, value, "at most "+short(ceiling))
	}
	return d
}

func short(d time.Duration) string {
	s := d.String()
	s = strings.TrimSuffix(s, "0s")
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	if s == "" || !strings.ContainsAny(s, "hms") {
		return d.String()
	}
	return s
}

// file checks that a named file is there and can be read.
func (k *checker) file(setting, path string) bool {
	if path == "" {
		return true
	}
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		k.add(setting, path, "there is no such file")
		return false
	case err != nil:
		k.add(setting, path, "the file cannot be read")
		return false
	case info.IsDir():
		k.add(setting, path, "that is a folder; name a file")
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		k.add(setting, path, "the file cannot be read: check its permissions")
		return false
	}
	f.Close()
	return true
}
