package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"correction-console/internal/config"
	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
)

type merchantCommands struct {
	Add  merchantAdd  `cmd:"" help:"Add a merchant, or give it another name."`
	List merchantList `cmd:"" help:"List the merchants."`
}

type merchantAdd struct {
	dataFolder
	SubMchID string `arg:"" name:"sub-mchid" help:"Sub-merchant number."`
	Name     string `arg:"" help:"Name that people see."`
}

func (m *merchantAdd) Run() error {
	m.SubMchID = correction.HalfWidth(m.SubMchID)
	if !correction.ValidMchID(m.SubMchID) {
		return config.Usage(fmt.Errorf("%q is no sub-merchant number: digits only", m.SubMchID))
	}
	name, err := displayName(m.Name)
	if err != nil {
		return err
	}
	return withStore(m.Data, func(ctx context.Context, st *sqlite.Store) error {
		if err := st.PutMerchant(ctx, correction.Merchant{SubMchID: m.SubMchID, Name: name}); err != nil {
			return err
		}
		fmt.Printf("merchant %s: %s\n", m.SubMchID, name)
		return nil
	})
}

func displayName(s string) (string, error) {
	name, problem := correction.CleanText(s, 40)
	if name == "" || problem.Code != "" {
		return "", config.Usage(fmt.Errorf("%q is no name: 1 to 40 visible characters", s))
	}
	return name, nil
}

type merchantList struct{ dataFolder }

func (m *merchantList) Run() error {
	return withStore(m.Data, func(ctx context.Context, st *sqlite.Store) error {
		all, err := st.Merchants(ctx)
		if err != nil {
			return err
		}
		return table("NUMBER\tNAME", len(all), func(i int) string { return all[i].SubMchID + "\t" + all[i].Name })
	})
}

type serviceCommands struct {
	Add  serviceAdd  `cmd:"" help:"Add a Pay Score service, or describe it anew."`
	List serviceList `cmd:"" help:"List the services."`
}

type serviceAdd struct {
	dataFolder
	ServiceID string `arg:"" name:"service-id" help:"Pay Score service id."`
	Name      string `arg:"" help:"Name that people see."`
	Industry  string `help:"Industry, for its rules: ${industries}."`
	Cap       string `help:"Risk cap of the service in yuan."`
	AllowZero bool   `name:"allow-zero" help:"Allow corrections to zero."`
}

func (s *serviceAdd) Run() error {
	s.ServiceID, s.Industry = correction.HalfWidth(s.ServiceID), correction.HalfWidth(s.Industry)
	if !correction.ValidServiceID(s.ServiceID) {
		return config.Usage(fmt.Errorf("%q is no service id: 1 to 32 digits or letters", s.ServiceID))
	}
	o := correction.Offering{ServiceID: s.ServiceID, Industry: s.Industry, AllowZero: s.AllowZero}
	var err error
	if o.Name, err = displayName(s.Name); err != nil {
		return err
	}
	if _, ok := correction.FindIndustry(s.Industry); s.Industry != "" && !ok {
		return config.Usage(fmt.Errorf("--industry %q: one of %s", s.Industry, industryCodes()))
	}
	if s.Cap != "" {
		if o.Cap, err = correction.ParseYuan(s.Cap); err != nil || o.Cap == 0 {
			if errors.Is(err, correction.ErrYuanTooLarge) {
				return config.Usage(fmt.Errorf("--cap %q: at most %s", s.Cap, correction.MaxAmount.Yuan()))
			}
			return config.Usage(fmt.Errorf("--cap %q: write yuan, such as 99.00", s.Cap))
		}
	}
	return withStore(s.Data, func(ctx context.Context, st *sqlite.Store) error {
		switch now, err := st.AddOffering(ctx, o); {
		case errors.Is(err, correction.ErrLoosens):
			return proposeOffering(ctx, st, now, o)
		case err != nil:
			return err
		}
		fmt.Printf("service %s: %s\n", o.ServiceID, o.Name)
		return nil
	})
}

// proposeOffering keeps what loosens until a supervisor for all merchants agrees, and
// says so: nothing has changed yet.
func proposeOffering(ctx context.Context, st *sqlite.Store, now *correction.Offering, o correction.Offering) error {
	p, err := correction.OfferingProposal(now, o)
	if err != nil {
		return err
	}
	p.At = time.Now()
	n, err := st.Propose(ctx, p, "")
	if errors.Is(err, correction.ErrTaken) {
		return fmt.Errorf("service %s: an edit of somebody else waits already; a supervisor agrees to it or declines it first (Settings, Services)", o.ServiceID)
	}
	if err != nil {
		return err
	}
	fmt.Printf("service %s: NOT CHANGED YET. This allows more than now, so version %d waits until a supervisor for all merchants agrees (Settings, Services).\n", o.ServiceID, n)
	people, err := st.People(ctx)
	if err != nil {
		return err
	}
	if p.Way(people) == correction.WayNobody {
		fmt.Println("No active supervisor is for all merchants, so nobody can agree at present.")
	}
	return nil
}

func industryCodes() string {
	var codes []string
	for _, i := range correction.Industries {
		codes = append(codes, i.Code)
	}
	return strings.Join(codes, ", ")
}

type serviceList struct{ dataFolder }

func (s *serviceList) Run() error {
	return withStore(s.Data, func(ctx context.Context, st *sqlite.Store) error {
		all, err := st.Offerings(ctx)
		if err != nil {
			return err
		}
		return table("SERVICE\tNAME\tINDUSTRY\tCAP\tZERO", len(all), func(i int) string {
			o := all[i]
			limit, zero := "-", "no"
			if o.Cap > 0 {
				limit = o.Cap.Yuan()
			}
			if o.AllowZero {
				zero = "yes"
			}
			return strings.Join([]string{o.ServiceID, o.Name, o.Industry, limit, zero}, "\t")
		})
	})
}
