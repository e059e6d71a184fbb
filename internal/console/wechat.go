package console

import (
	"strings"
	"time"

	"correction-console/internal/config"
	"correction-console/internal/wechat"
)

// NewGateway makes the gateway to WeChat Pay from the settings, telling every problem of
// their files at once. Settings that are known to be wrong are left alone.
func NewGateway(cfg config.Config, known []config.Problem) (*wechat.Gateway, []config.Problem) {
	w, problems := wechatConfig(cfg, known)
	if len(problems) > 0 || len(known) > 0 {
		return nil, problems
	}
	g, err := wechat.New(w)
	if err != nil {
		problems = append(problems, config.Problem{Setting: "CONSOLE_WECHAT_API_HOST", Value: cfg.APIHost, Fix: err.Error()})
	}
	return g, problems
}

// wechatConfig reads the files of WeChat's keys.
func wechatConfig(cfg config.Config, known []config.Problem) (wechat.Config, []config.Problem) {
	var problems []config.Problem
	note := func(setting, path string, err error) {
		if err != nil && !config.Names(known, setting) {
			problems = append(problems, config.Problem{Setting: setting, Value: path, Fix: err.Error()})
		}
	}
	w := wechat.Config{Host: cfg.APIHost, BackupHost: cfg.BackupHost, MchID: cfg.MchID, CertSerial: cfg.CertSerial, Timeout: cfg.Timeout, Now: time.Now}
	var err error
	if cfg.PrivateKeyFile != "" {
		w.PrivateKey, err = wechat.LoadPrivateKey(cfg.PrivateKeyFile)
		note("CONSOLE_WECHAT_PRIVATE_KEY_FILE", cfg.PrivateKeyFile, err)
	}
	if cfg.PublicKeyFile != "" {
		w.PublicKeyID = cfg.PublicKeyID
		w.PublicKey, err = wechat.LoadPublicKey(cfg.PublicKeyFile)
		note("CONSOLE_WECHAT_PUBLIC_KEY_FILE", cfg.PublicKeyFile, err)
	}
	if len(cfg.PlatformCertFiles) > 0 {
		w.PlatformCerts, err = wechat.LoadCertificates(cfg.PlatformCertFiles)
		note("CONSOLE_WECHAT_PLATFORM_CERT_FILES", strings.Join(cfg.PlatformCertFiles, ","), err)
	}
	if cfg.CAFile != "" {
		w.CA, err = wechat.LoadCA(cfg.CAFile)
		note("CONSOLE_WECHAT_CA_FILE", cfg.CAFile, err)
	}
	ownKey, ownCertificate := w.OwnKeys()
	note("CONSOLE_WECHAT_PUBLIC_KEY_FILE", cfg.PublicKeyFile, ownKey)
	note("CONSOLE_WECHAT_PLATFORM_CERT_FILES", strings.Join(cfg.PlatformCertFiles, ","), ownCertificate)
	return w, problems
}
