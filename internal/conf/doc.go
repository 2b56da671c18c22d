// Package conf reads api.conf: an INI file with sections and keys that are
// matched without regard to case, "#" and ";" as comments at the start of a line
// or after a blank, and the environment (DIALBRIDGE_SECTION_KEY) above it. All
// faults of a file are reported at once, each with its file, line and key, and
// none of them shows a secret.
package conf

import (
	"net/netip"
	"regexp"
	"time"
)

// Config is the whole configuration. It is made by [Load] or [Parse] alone and
// is not changed afterwards.
type Config struct {
	General    General
	Enable     Enable
	AMI        AMI
	ARI        ARI
	Dial       Dial
	Calls      Calls
	IVR        []Menu // in the order of the file
	Feedback   Feedback
	Blacklist  Blacklist
	Recordings Recordings
	Store      Store
	Webhook    Webhook
	Receivers  []Receiver // in the order of the file
	OLA        OLA
	Gateways   []Gateway // in the order of the file
	Overlays   []Overlay // of queues, in the order of the file
	Toolbar    Toolbar
	HTTP       HTTP
	Log        Log
}

// General is the section [general].
type General struct {
	BindAddr      string         // BINDADDR: IP address or host name to listen on
	BindPort      int            // BINDPORT: 0 = any free port
	URL           URL            // URL: where events are pushed, "" = nowhere
	WebKey        Secret         // WEBKEY: "" = commands need no authentication
	MAC           string         // mac: as written, else the first hardware address, "" without one
	PopURL        URL            // pop_url: screen pop of the agent toolbar, "" = none
	Timezone      *time.Location // timezone: never nil
	AdminPassword Secret         // admin_password: "" = made at the first start
}

// Enable is the section [enable].
type Enable struct {
	PauseTime    bool          // pausetime: pause an agent after each call
	PauseTimeMax time.Duration // pausetime_max: longest such pause, whole seconds
}

// AMI is the section [ami].
type AMI struct {
	Address   string // host:port
	Username  string
	Secret    Secret
	TLS       bool
	Ping      time.Duration
	DeadAfter time.Duration // longer than Ping
}

// ARI is the section [ari].
type ARI struct {
	URL         URL    // without a slash at its end
	Username    string // "" = ARI is not used
	Password    Secret
	Application string
}

// Dial is the section [dial].
type Dial struct {
	Technology string // "auto", "PJSIP" or "SIP"
	Context    string
	Timeout    time.Duration
	Allow      *regexp.Regexp
}

// Calls is the section [calls].
type Calls struct {
	Extensions      *regexp.Regexp
	InboundContexts *regexp.Regexp
	QueueMember     string // template with {tech} and {exten}
	CDRCSV          string // cdr_csv: Asterisk's Master.csv
	ServiceLevel    time.Duration
}

// Menu is one line of the section [ivr]: CONTEXT = ID, NAME.
type Menu struct {
	Context string // dialplan context, in its own spelling
	ID      string
	Name    string // may be empty
}

// Blacklist is the section [blacklist].
type Blacklist struct {
	Guard bool // end inbound calls of listed numbers where the dialplan does not
}

// Feedback is the section [feedback].
type Feedback struct {
	Contexts *regexp.Regexp
}

// Recordings is the section [recordings].
type Recordings struct {
	Directory         string
	AsteriskDirectory string // as Directory when not set
}

// Store is the section [store].
type Store struct {
	Path    string
	MaxSize int64 // bytes
	Keep    time.Duration
}

// Webhook is the section [webhook].
type Webhook struct {
	Secrets        []Secret // secret: comma separated in the file, empty = pushes are not signed
	Timeout        time.Duration
	Concurrency    int
	RetryMax       time.Duration
	EventTTL       time.Duration // 0 = off
	PoisonAttempts int
	PoisonSpan     time.Duration
	DialBeginEvent string // "dialbegin" or "dialbegein"
	HangupLegs     string // "call" or "all"
	ChannelNames   string // "sip" or "raw"
}

// OLA is the section [ola].
type OLA struct {
	PrivateAnswer string   // "answer" or "answered"
	AIContext     string   // ai_context: dialplan context of a voice robot, "" = none
	Sounds        []string // folders, as Asterisk names them, below which a campaign may play files
}

// Toolbar is the section [toolbar].
type Toolbar struct {
	Pop     string   // "tab" or "frame": where pop_url of [general] is opened
	Answer  bool     // answer: phones pick up when they are asked to
	Origins []string // of pages that may embed the agent toolbar, as browsers write them; none = those of the daemon itself alone
}

// HTTP is the section [http].
type HTTP struct {
	TLS          bool // tls_port is a number, not "off"
	TLSPort      int  // 0 = any free port; meaningful with TLS alone
	TLSCert      string
	TLSKey       string
	Allow        []netip.Prefix
	MetricsAllow []netip.Prefix
	AuthFailures Rate
}

// Log is the section [log].
type Log struct {
	Level  string // "debug", "info", "warn" or "error"
	Format string // "auto", "text" or "json"
}

// Rate is a number of times within a span; the zero Rate means no limit.
type Rate struct {
	Count int
	Per   time.Duration
}
