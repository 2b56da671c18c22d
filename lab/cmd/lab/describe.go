package main

import (
	"io"
	"strings"
	"text/template"

	"github.com/dialbridge/dialbridge/lab"
)

var description = template.Must(template.New("lab").Funcs(template.FuncMap{"join": strings.Join, "secret": lab.Secret}).Parse(`
Asterisk {{.Version}} ({{.Tech}}) on {{.IP}}
  AMI          {{.AMIAddress}}  {{.AMIUser}} / {{.AMISecret}}  (little allowed: {{.LimitedUser}} / {{.LimitedSecret}})
  ARI          {{.ARIURL}}  {{.ARIUser}} / {{.ARIPassword}}
  SIP          {{.SIPAddress}} UDP; phones 801 to 820, password of 801: {{secret "801"}}
  provider     calls come from {{.TrunkIP}} (user trunk, no password)
  DIDs         02188880001 phone 801, 02188880002 menu, 02188880003 queue 630, 02188880004 phone 802, recorded
  inside       630 queue (803, 804), 631 queue (log in: *45), 700 parking, 900 conference, *43 echo, 0... and 1... outside
  recordings   {{.RecordingsDir}}
  call records {{.CDRCSV}}
  log          {{.LogFile}}
  configured   {{.EtcDir}}

  Try:
    {{.CommandLine "core show channels"}}
    {{.CommandLine "channel originate Local/*43@from-internal application Playback demo-instruct"}}

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

// describe prints what one needs to know to use a lab.
func describe(w io.Writer, l *lab.Lab) {
	_ = description.Execute(w, l)
}
