package main

import (
	"io"
	"strings"
	"text/template"

	"github.com/dialbridge/dialbridge/lab"
)

var description = template.Must(template.New("lab").Funcs(template.FuncMap{"join": strings.Join, "secret": lab.Secret}).Parse(`
Asterisk {{.Version}} ({{.Tech}}) on {{.IP}}
  AMI           {{.AMIAddress}}  {{.AMIUser}} / {{.AMISecret}}   (with the class call only: {{.LimitedUser}} / {{.LimitedSecret}})
  ARI           {{.ARIURL}}  {{.ARIUser}} / {{.ARIPassword}}
  SIP           {{.SIPAddress}} UDP
  phones        801 to 820; the password of 801 is {{secret "801"}}, and so on
  answering     {{if .Phones}}{{join .Phones ", "}} (ring two seconds, then answer and send a tone){{else}}none{{end}}
  from outside  02188880001 phone 801      02188880002 menu: 1 queue 630, 2 queue 631, 3 phone 801
                02188880003 queue 630      02188880004 phone 802, recorded
  from inside   801-820 phones, 630 queue of 803 and 804, 631 queue (log in with *45, pause with *46), 700 park, 900 conference,
                *43 echo, numbers that begin with 0 or 1 and have five digits or more go outside
  provider      its calls come from {{.TrunkIP}}; user trunk, no password
  recordings    {{.RecordingsDir}}
  call records  {{.CDRCSV}}
  log           {{.LogFile}}
  configuration {{.EtcDir}}

  Asterisk's console:
    {{.Console}}
  What it runs now:
    {{.CommandLine "core show channels"}}
  A call from 801 to 802:
    {{.CommandLine (print "channel originate " .Tech "/801 extension 802@from-internal")}}
  A call from outside to the menu, which goes to the queue when no key is pressed:
    {{.CommandLine "channel originate Local/02188880002@from-trunk application Playback demo-instruct"}}

  An api.conf that fits:
    [ami]
    address = {{.AMIAddress}}
    username = {{.AMIUser}}
    secret = {{.AMISecret}}
    [ari]
    url = {{.ARIURL}}
    username = {{.ARIUser}}
    password = {{.ARIPassword}}
    [recordings]
    directory = {{.RecordingsDir}}
    asterisk_directory = {{.AsteriskRecordingsDir}}
    [calls]
    cdr_csv = {{.CDRCSV}}
`))

// describe prints what one needs to know to use a lab in which the phones answer.
func describe(w io.Writer, l *lab.Lab, phones []string) {
	_ = description.Execute(w, struct {
		*lab.Lab
		Phones []string
	}{l, phones})
}
