package proctest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// address is what the process that is WeChat tells of itself.
type address struct{ API, Admin, CertSerial, PublicKeyID string }

// BeWeChat serves a simulated API until standard input ends. Its keys go to the folder.
func BeWeChat(keys string) error {
	s, err := simulator.Start("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.WriteKeys(keys); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go http.Serve(l, simulator.Admin(s)) //nolint:gosec // on the loopback range, for as long as the test runs
	err = json.NewEncoder(os.Stdout).Encode(address{s.URL, "http://" + l.Addr().String(), s.Keys().CertSerial, s.Keys().PublicKeyID})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// WeChat is the process that is WeChat. It keeps the truth.
type WeChat struct {
	*Child
	at   address
	keys string
}

// StartWeChat starts one. TestMain calls BeWeChat with the folder that it finds in the
// environment under the name role.
func StartWeChat(t testing.TB, role string) *WeChat {
	t.Helper()
	w := &WeChat{keys: t.TempDir()}
	w.Child = StartChild(t, role, w.keys)
	if err := w.Hear(&w.at); err != nil {
		t.Fatalf("start the simulator: %v", err)
	}
	return w
}

// Settings are those of a console that talks to it.
func (w *WeChat) Settings() []string {
	return []string{
		"CONSOLE_WECHAT_API_HOST=" + w.at.API, "CONSOLE_WECHAT_MCHID=" + simulator.MchID,
		"CONSOLE_WECHAT_CERT_SERIAL=" + w.at.CertSerial, "CONSOLE_WECHAT_PRIVATE_KEY_FILE=" + filepath.Join(w.keys, simulator.PrivateKeyFile),
		"CONSOLE_WECHAT_PUBLIC_KEY_ID=" + w.at.PublicKeyID, "CONSOLE_WECHAT_PUBLIC_KEY_FILE=" + filepath.Join(w.keys, simulator.PublicKeyFile),
	}
}

// admin makes a call of simulator.Admin; answer is nil or what the answer is read into.
func (w *WeChat) admin(method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, w.at.Admin+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		words, _ := io.ReadAll(res.Body)
		return fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, words)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(answer)
}

// Fault arms faults.
func (w *WeChat) Fault(faults ...simulator.Fault) error {
	for _, f := range faults {
		if err := w.admin(http.MethodPost, "/fault", f, nil); err != nil {
			return err
		}
	}
	return nil
}

// Disarm takes all faults away.
func (w *WeChat) Disarm() error { return w.admin(http.MethodPost, "/disarm", nil, nil) }

// Posts are the corrections that came.
func (w *WeChat) Posts() (all []simulator.Post, err error) {
	return all, w.admin(http.MethodGet, "/posts", nil, &all)
}

// Orders are all orders as they are now.
func (w *WeChat) Orders() (all []simulator.Order, err error) {
	return all, w.admin(http.MethodGet, "/orders", nil, &all)
}

// Put adds or replaces orders.
func (w *WeChat) Put(orders ...simulator.Order) error {
	return w.admin(http.MethodPut, "/orders", orders, nil)
}

// Unpaid is an order that is completed and waits for its payment. Its two lines carry no
// amounts.
func Unpaid(merchant, service, number string, total correction.Fen) simulator.Order {
	o := simulator.Order{}
	o.SubMchID, o.ServiceID, o.OutOrderNo, o.Introduction = merchant, service, number, "充电宝租借"
	o.State, o.StateDescription = correction.OrderDoing, correction.MchComplete
	o.Lines = []correction.Line{{Name: "收费标准", Description: "2元/小时"}, {Name: "使用时长", Description: "很久"}}
	o.Total, o.HasTotal = total, true
	o.Collection = correction.Collection{State: correction.UserPaying, Total: total, Paying: total}
	return o
}
