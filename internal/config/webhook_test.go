package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"correction-console/internal/config"
)

func TestCheck_Webhook(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := put("url", "https://oapi.example.com/robot/send?access_token=t0ken\n", 0o600)
	secret := put("secret", "SECx\n", 0o600)
	for name, x := range map[string]struct {
		s    config.Settings
		want string // setting that is complained about; empty: none
	}{
		"none":           {config.Settings{}, ""},
		"dingtalk":       {config.Settings{WebhookURLFile: good, WebhookFormat: "dingtalk", WebhookSecretFile: secret}, ""},
		"feishu":         {config.Settings{WebhookURLFile: good, WebhookFormat: "feishu"}, ""},
		"loopback":       {config.Settings{WebhookURLFile: put("local", "http://127.0.0.1:9/x", 0o600), WebhookFormat: "wecom"}, ""},
		"no format":      {config.Settings{WebhookURLFile: good}, "CONSOLE_WEBHOOK_FORMAT"},
		"no address":     {config.Settings{WebhookFormat: "wecom"}, "CONSOLE_WEBHOOK_URL_FILE"},
		"plain http":     {config.Settings{WebhookURLFile: put("plain", "http://oapi.example.com/t0ken", 0o600), WebhookFormat: "wecom"}, "CONSOLE_WEBHOOK_URL_FILE"},
		"no such file":   {config.Settings{WebhookURLFile: filepath.Join(dir, "none"), WebhookFormat: "wecom"}, "CONSOLE_WEBHOOK_URL_FILE"},
		"empty":          {config.Settings{WebhookURLFile: put("empty", " \n", 0o600), WebhookFormat: "wecom"}, "CONSOLE_WEBHOOK_URL_FILE"},
		"others read it": {config.Settings{WebhookURLFile: put("open", "https://oapi.example.com/t0ken", 0o644), WebhookFormat: "wecom"}, "CONSOLE_WEBHOOK_URL_FILE"},
		"open secret":    {config.Settings{WebhookURLFile: good, WebhookFormat: "feishu", WebhookSecretFile: put("open2", "t0ken", 0o640)}, "CONSOLE_WEBHOOK_SECRET_FILE"},
		"wecom signs":    {config.Settings{WebhookURLFile: good, WebhookFormat: "wecom", WebhookSecretFile: secret}, "CONSOLE_WEBHOOK_SECRET_FILE"},
	} {
		c, problems := x.s.Check(dir)
		var got []string
		for _, p := range problems {
			if strings.HasPrefix(p.Setting, "CONSOLE_WEBHOOK") {
				got = append(got, p.Setting)
			}
			if strings.Contains(p.String(), "t0ken") {
				t.Errorf("%s: a secret in %q", name, p)
			}
		}
		if strings.Join(got, " ") != x.want {
			t.Errorf("%s: %v, want %q", name, got, x.want)
		}
		if name == "dingtalk" && (c.WebhookURL != "https://oapi.example.com/robot/send?access_token=t0ken" || c.WebhookSecret != "SECx" || c.WebhookFormat != "dingtalk") {
			t.Errorf("%+v", c)
		}
	}
}
