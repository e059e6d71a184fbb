package main

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"correction-console/internal/wechat"
	"correction-console/internal/wechat/simulator"
)

// Keys that cannot be right are refused at the start, each by its setting.
func TestServe_RefusesWeChatKeysThatCannotBeRight(t *testing.T) {
	t.Parallel()
	env, dir := settings(t)
	key, err := wechat.LoadPrivateKey(filepath.Join(dir, simulator.PrivateKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, kind string, der []byte, err error) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err == nil {
			err = os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	own := file("own.pem", "PUBLIC KEY", der, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(7), NotAfter: time.Now().Add(time.Hour)}
	der, err = x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	cert := file("own_cert.pem", "CERTIFICATE", der, err)
	for _, set := range []string{
		"CONSOLE_WECHAT_PUBLIC_KEY_FILE=" + own, "CONSOLE_WECHAT_PLATFORM_CERT_FILES=" + cert,
		"CONSOLE_WECHAT_PUBLIC_KEY_ID=0119000000012026", "CONSOLE_WECHAT_PUBLIC_KEY_ID=PUB_KEY_ID_", "CONSOLE_WECHAT_PUBLIC_KEY_ID=pub_key_id_0119000000012026",
		"CONSOLE_WECHAT_CERT_SERIAL=" + strings.Repeat("A", 39), "CONSOLE_WECHAT_CERT_SERIAL=" + strings.Repeat("A", 41),
		"CONSOLE_WECHAT_CERT_SERIAL=" + strings.Repeat("G", 40), "CONSOLE_WECHAT_CERT_SERIAL=" + strings.TrimSuffix(strings.Repeat("5F:", 20), ":"),
	} {
		name, _, _ := strings.Cut(set, "=")
		if code, _, msg := execute(t, with(env, set), "", "serve"); code != 2 || !strings.Contains(msg, name+"=") {
			t.Errorf("%s: %d %s", set, code, msg)
		}
	}
}

// Keys of the right form that are somebody else's: the answers tell, and so do log and
// page.
func TestServe_WrongKeysRaiseAnAlarm(t *testing.T) {
	t.Parallel()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&other.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "other.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ set, fault, code, page string }{
		{"CONSOLE_WECHAT_CERT_SERIAL=" + strings.Repeat("5F", 20), "credentials", "SIGN_ERROR", "CONSOLE_WECHAT_CERT_SERIAL"},
		{"CONSOLE_WECHAT_PUBLIC_KEY_FILE=" + path, "key", "", "CONSOLE_WECHAT_PUBLIC_KEY_FILE"},
	} {
		t.Run(x.fault, func(t *testing.T) {
			t.Parallel()
			l := newLane(t)
			l.put("A1")
			cmd := command(t, with(l.env, x.set), "serve")
			pipe, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill() })
			type line struct {
				Msg, Address, Kind, Fault, Code, Message string
				RequestID                                string `json:"request_id"`
			}
			for lines := bufio.NewScanner(pipe); lines.Scan(); {
				var say line
				_ = json.Unmarshal(lines.Bytes(), &say)
				if say.Msg == "listening" {
					l.url = "http://" + say.Address
					l.as("lin").do(http.MethodGet, "/orders/"+bankMerchant+"/A1", nil)
					_, _, page := l.as("zhou").do(http.MethodGet, "/operations", nil)
					if !strings.Contains(page, x.page) || strings.Contains(page, "检查都正常") || !strings.Contains(page, "接口设置不对") {
						t.Error("the page says that all is well")
					}
				}
				if say.Msg == "alarm" && say.Kind == "wechat_settings" {
					if say.Fault != x.fault || say.Code != x.code || x.code != "" && (say.Message == "" || say.RequestID == "") {
						t.Errorf("logged: %+v", say)
					}
					cmd.Process.Signal(syscall.SIGTERM)
					break
				}
			}
			go func() { _, _ = pipe.Read(make([]byte, 1<<16)) }()
			if cmd.Wait(); cmd.ProcessState.ExitCode() != 0 {
				t.Errorf("ended with %d", cmd.ProcessState.ExitCode())
			}
		})
	}
}
