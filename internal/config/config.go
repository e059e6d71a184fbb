// Package config reads the settings of the console: flags, environment variables
// CONSOLE_… and an optional settings file name the same things. Check reports every
// problem at once.
package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Settings are the settings as given. The tags are those of the kong command-line
// parser; all are text, so that Check can judge them together.
type Settings struct {
	Listen         string   `name:"listen" env:"CONSOLE_LISTEN" default:"127.0.0.1:8080" help:"Address to listen on."`
	PublicURL      string   `name:"public-url" env:"CONSOLE_PUBLIC_URL" help:"Address that people's browsers use, such as https://console.example.com."`
	SessionKeyFile string   `name:"session-key-file" env:"CONSOLE_SESSION_KEY_FILE" help:"File of 32 random bytes that signs sessions. Without it one is made in the data folder."`
	TLSCertFile    string   `name:"tls-cert-file" env:"CONSOLE_TLS_CERT_FILE" help:"TLS certificate chain, PEM."`
	TLSKeyFile     string   `name:"tls-key-file" env:"CONSOLE_TLS_KEY_FILE" help:"TLS private key, PEM."`
	TrustedProxies []string `name:"trusted-proxies" env:"CONSOLE_TRUSTED_PROXIES" help:"Addresses or ranges whose X-Forwarded-For is believed."`
	TimeZone       string   `name:"time-zone" env:"CONSOLE_TIME_ZONE" default:"Asia/Shanghai" help:"Time zone that times are shown in."`
	InsecureHTTP   bool     `name:"insecure-http" env:"CONSOLE_INSECURE_HTTP" help:"Serve plain http beyond this machine: passwords and sessions cross the network in the open."`

	Connections           string `name:"connections" env:"CONSOLE_CONNECTIONS" default:"512" help:"Open connections in all."`
	ConnectionsPerAddress string `name:"connections-per-address" env:"CONSOLE_CONNECTIONS_PER_ADDRESS" default:"32" help:"Open connections from one address; loopback and trusted proxies are not bound to it."`
	MetricsListen         string `name:"metrics-listen" env:"CONSOLE_METRICS_LISTEN" help:"Address of a listener of its own for /metrics."`
	MetricsTokenFile      string `name:"metrics-token-file" env:"CONSOLE_METRICS_TOKEN_FILE" help:"File with the token that /metrics asks for (Authorization: Bearer); only its owner may read it. Without it and without a listener of its own /metrics is not there."`

	APIHost           string   `name:"wechat-api-host" env:"CONSOLE_WECHAT_API_HOST" default:"https://api.mch.weixin.qq.com" help:"WeChat Pay API host."`
	BackupHost        string   `name:"wechat-backup-host" env:"CONSOLE_WECHAT_BACKUP_HOST" help:"Second WeChat Pay API host, for fail-over."`
	MchID             string   `name:"wechat-mchid" env:"CONSOLE_WECHAT_MCHID" help:"Service provider's merchant number."`
	CertSerial        string   `name:"wechat-cert-serial" env:"CONSOLE_WECHAT_CERT_SERIAL" help:"Serial number of the service provider's API certificate."`
	PrivateKeyFile    string   `name:"wechat-private-key-file" env:"CONSOLE_WECHAT_PRIVATE_KEY_FILE" help:"Private key of that certificate, PEM (PKCS#8)."`
	PublicKeyID       string   `name:"wechat-public-key-id" env:"CONSOLE_WECHAT_PUBLIC_KEY_ID" help:"Id of WeChat Pay's public key, PUB_KEY_ID_…."`
	PublicKeyFile     string   `name:"wechat-public-key-file" env:"CONSOLE_WECHAT_PUBLIC_KEY_FILE" help:"WeChat Pay's public key, PEM."`
	PlatformCertFiles []string `name:"wechat-platform-cert-files" env:"CONSOLE_WECHAT_PLATFORM_CERT_FILES" help:"Platform certificates, PEM, instead of or beside the public key."`
	APIv3KeyFile      string   `name:"wechat-apiv3-key-file" env:"CONSOLE_WECHAT_APIV3_KEY_FILE" help:"APIv3 key, 32 characters. Not needed for correcting."`
	CAFile            string   `name:"wechat-ca-file" env:"CONSOLE_WECHAT_CA_FILE" help:"Certificate authorities for the API host, PEM. Default: the system's."`
	Timeout           string   `name:"wechat-timeout" env:"CONSOLE_WECHAT_TIMEOUT" default:"20s" help:"Limit of one call."`

	QuietTime       string `name:"quiet-time" env:"CONSOLE_QUIET_TIME" default:"7m" help:"Time before \"not applied\" may be said of an uncertain correction."`
	RecheckInterval string `name:"recheck-interval" env:"CONSOLE_RECHECK_INTERVAL" default:"1s" help:"First wait between re-queries."`
	FollowDays      int    `name:"follow-days" env:"CONSOLE_FOLLOW_DAYS" default:"30" help:"Days for which an unpaid order is read again after its correction."`

	LookupsPerMinute int `name:"lookups-per-minute" env:"CONSOLE_LOOKUPS_PER_MINUTE" default:"60" help:"Orders that a person may look up in a minute; 0 = no limit."`

	Journal            string `name:"journal" env:"CONSOLE_JOURNAL" help:"Folder of the journal, the second record; best on another disk. Default: journal in the data folder."`
	MinFree            string `name:"min-free" env:"CONSOLE_MIN_FREE" default:"512MiB" help:"Below so much free disk space corrections are refused."`
	CheckpointKeyFile  string `name:"checkpoint-key-file" env:"CONSOLE_CHECKPOINT_KEY_FILE" help:"Key that signs the record's checkpoints. Without it one is made in the data folder."`
	CheckpointFolder   string `name:"checkpoint-folder" env:"CONSOLE_CHECKPOINT_FOLDER" help:"Folder that each checkpoint is written to, best on another machine."`
	CheckpointURL      string `name:"checkpoint-url" env:"CONSOLE_CHECKPOINT_URL" help:"Address that each checkpoint is posted to."`
	CheckpointInterval string `name:"checkpoint-interval" env:"CONSOLE_CHECKPOINT_INTERVAL" default:"15m" help:"Time between two checkpoints."`

	WebhookURLFile    string `name:"webhook-url-file" env:"CONSOLE_WEBHOOK_URL_FILE" help:"File with the address of a chat robot that is told of corrections waiting for approval; only its owner may read it."`
	WebhookFormat     string `name:"webhook-format" env:"CONSOLE_WEBHOOK_FORMAT" help:"Whose robot it is: wecom, dingtalk or feishu."`
	WebhookSecretFile string `name:"webhook-secret-file" env:"CONSOLE_WEBHOOK_SECRET_FILE" help:"File with the secret that messages to a DingTalk or Feishu robot are signed with; only its owner may read it."`
}

// Config is what the settings mean.
type Config struct {
	Listen         string
	Data           string
	PublicURL      *url.URL // nil when not set
	SessionKeyFile string
	TLSCertFile    string
	TLSKeyFile     string
	TrustedProxies []netip.Prefix
	Zone           *time.Location
	InsecureHTTP   bool // plain http beyond this machine was asked for

	Connections           int
	ConnectionsPerAddress int
	MetricsListen         string // empty: no listener of its own
	MetricsToken          string // empty: /metrics is only on that listener

	APIHost           string // without a slash at its end
	BackupHost        string
	MchID             string
	CertSerial        string
	PrivateKeyFile    string
	PublicKeyID       string
	PublicKeyFile     string
	PlatformCertFiles []string
	APIv3KeyFile      string
	CAFile            string
	Timeout           time.Duration
	Quiet             time.Duration
	Recheck           time.Duration
	FollowFor         time.Duration

	LookupsPerMinute int // a person; 0 = no limit

	Journal            string
	MinFree            int64 // bytes
	CheckpointKeyFile  string
	CheckpointFolder   string // empty: not written
	CheckpointURL      string // empty: not posted
	CheckpointInterval time.Duration

	WebhookURL    string // holds a key; empty: nobody is told
	WebhookFormat string
	WebhookSecret string
}

// TLS reports whether the console serves https itself.
func (c Config) TLS() bool { return c.TLSCertFile != "" }

// Secure reports whether browsers reach the console over https.
func (c Config) Secure() bool {
	return c.TLS() || (c.PublicURL != nil && c.PublicURL.Scheme == "https")
}

// Exposed reports whether browsers reach the console over plain http from beyond this
// machine: by the public address, without one by the address listened on.
func (c Config) Exposed() bool {
	switch {
	case c.PublicURL != nil:
		return c.PublicURL.Scheme == "http" && !local(c.PublicURL.Hostname())
	case c.TLS():
		return false
	}
	host, _, err := net.SplitHostPort(c.Listen)
	return err == nil && !local(host)
}

// local reports a host that is this machine and nothing else. Names below localhost
// are, in every browser.
func local(host string) bool {
	ip := net.ParseIP(host)
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// CheckExposed refuses to serve plain http beyond this machine unless that was asked
// for. Only who serves is bound to it.
func (c Config) CheckExposed() []Problem {
	if !c.Exposed() || c.InsecureHTTP {
		return nil
	}
	const fix = "passwords and sessions would cross the network in the open: set CONSOLE_TLS_CERT_FILE and CONSOLE_TLS_KEY_FILE, or put a TLS proxy in front and set CONSOLE_PUBLIC_URL to its https address; --insecure-http (CONSOLE_INSECURE_HTTP=true) serves plain http all the same"
	if c.PublicURL != nil {
		return []Problem{{Setting: "CONSOLE_PUBLIC_URL", Value: c.PublicURL.String(), Fix: fix}}
	}
	return []Problem{{Setting: "CONSOLE_LISTEN", Value: c.Listen, Fix: fix}}
}

// Problem is one thing wrong with the settings: which, its value, and the fix. A
// value is never a secret: secrets are only named by file.
type Problem struct {
	Setting string // environment variable
	Value   string
	Fix     string
}

func (p Problem) String() string {
	if p.Value == "" {
		return p.Setting + ": " + p.Fix
	}
	return fmt.Sprintf("%s=%q: %s", p.Setting, p.Value, p.Fix)
}

// DatabasePath is the database file below the data folder.
func DatabasePath(data string) string { return filepath.Join(data, "console.db") }
