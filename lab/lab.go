package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// Options say which Asterisk to run, and how it differs from a stock one.
type Options struct {
	// Version is the major version, "16" or "22". Empty is 22, or the host's Asterisk where no other can be had.
	Version string
	// Logger hears what takes time, such as building a root directory. Nil is silence.
	Logger *slog.Logger
	// NoCDRManager turns cdr_manager.conf off, so that no Cdr events come over AMI.
	NoCDRManager bool
	// NoUnanswered is Asterisk's own default, by which calls that rang nobody have no call detail record.
	NoUnanswered bool
	// NoTimestamps turns timestampevents off, so that AMI events carry no Timestamp.
	NoTimestamps bool
	// Timezone is Asterisk's local time, by its IANA name. Empty is the zone of this process.
	Timezone string
	// Stock leaves the manager, the servers of HTTP and ARI, and call records as Debian's package configures them, but for
	// the address: nobody can log in. The fields of Lab that hold users and secrets are without meaning then.
	Stock bool
}

// Lab is one running Asterisk with a stock configuration.
type Lab struct {
	// Version is Asterisk's major version, such as "22".
	Version string
	// Tech is the technology of the phones' channels: "SIP" or "PJSIP".
	Tech string
	// IP is the loopback address that this Asterisk alone listens on.
	IP string
	// AMIAddress is host:port of the manager interface.
	AMIAddress string
	// AMIUser and AMISecret may do everything over AMI.
	AMIUser, AMISecret string
	// LimitedUser and LimitedSecret have nothing but the class call.
	LimitedUser, LimitedSecret string
	// ARIURL is the base of the REST interface, such as http://127.22.1.1:8088/ari.
	ARIURL string
	// ARIUser and ARIPassword may do everything over ARI.
	ARIUser, ARIPassword string
	// SIPAddress is host:port of SIP over UDP.
	SIPAddress string
	// TrunkIP is the address that the provider's calls come from.
	TrunkIP string
	// Extensions are the numbers of the phones that can register, as users with Secret as the password.
	Extensions []string
	// RecordingsDir is where recordings appear, on the host.
	RecordingsDir string
	// AsteriskRecordingsDir is the same folder as Asterisk names it.
	AsteriskRecordingsDir string
	// CDRCSV is the file of Asterisk's call records, on the host.
	CDRCSV string
	// LogFile is Asterisk's log, on the host.
	LogFile string
	// EtcDir is Asterisk's configuration folder, on the host. What is changed there counts after a reload or Boot.
	EtcDir string

	installation installation
	seat         seat
	dir          string // run directory on the host
	inside       string // the same, as Asterisk sees it
	environment  []string
	stock        bool
	zone         string // file of the time zone as Asterisk sees it; "" is UTC, or the host's zone
	log          *slog.Logger

	mu      sync.Mutex
	process *process       // nil when Asterisk is not running
	closers []func() error // end the phones
	closed  bool
}

// Start runs an Asterisk and waits until it is fully booted. The first time, it builds the version's root directory,
// which takes about half a minute and needs root, Debian's archive and mmdebstrap. The caller must Close the lab.
func Start(ctx context.Context, o Options) (*Lab, error) {
	l := &Lab{log: o.Logger}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("lab cache: %w", err)
	}
	if l.installation, err = install(ctx, cache, o.Version, l.log); err != nil {
		return nil, err
	}
	if err := sweep(l.installation.runs, l.installation.major); err != nil {
		l.installation.inUse.release()
		return nil, err
	}
	if l.seat, err = takeSeat(ctx, l.installation.major); err != nil {
		l.installation.inUse.release()
		return nil, err
	}
	if err := l.prepare(o); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := l.Boot(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// prepare names everything of the run and fills its directory.
func (l *Lab) prepare(o Options) error {
	l.Version, l.Tech = l.installation.version, l.installation.tech()
	l.IP = address(l.installation.major, l.seat.number)
	l.TrunkIP = l.host(2)
	l.AMIAddress, l.AMIUser, l.AMISecret = l.IP+":5038", "dialbridge", "ami-secret"
	l.LimitedUser, l.LimitedSecret = "limited", "limited-secret"
	l.ARIURL, l.ARIUser, l.ARIPassword = "http://"+l.IP+":8088/ari", "dialbridge", "ari-secret"
	l.SIPAddress = l.IP + ":5060"
	number := strconv.Itoa(l.seat.number)
	l.dir = filepath.Join(l.installation.runs, number)
	l.inside = filepath.Join(l.installation.inside, number)
	l.RecordingsDir = filepath.Join(l.dir, "spool/monitor")
	l.AsteriskRecordingsDir = filepath.Join(l.inside, "spool/monitor")
	l.CDRCSV = filepath.Join(l.dir, "log/cdr-csv/Master.csv")
	l.LogFile = filepath.Join(l.dir, "log/full")
	l.EtcDir = filepath.Join(l.dir, "etc")
	s := settings{
		Dir: l.inside, IP: l.IP, TrunkIP: l.TrunkIP, Tech: l.Tech,
		AMISecret: l.AMISecret, LimitedSecret: l.LimitedSecret, ARIPassword: l.ARIPassword,
		Timestamps: !o.NoTimestamps, CDRManager: !o.NoCDRManager, Unanswered: !o.NoUnanswered,
	}
	for n := 801; n <= 820; n++ {
		exten := strconv.Itoa(n)
		l.Extensions = append(l.Extensions, exten)
		s.Phones = append(s.Phones, account{exten, Secret(exten)})
	}
	if err := os.RemoveAll(l.dir); err != nil {
		return fmt.Errorf("lab run directory: %w", err)
	}
	if err := fill(l.dir, s); err != nil {
		return err
	}
	if l.stock = o.Stock; l.stock {
		if err := l.restock(); err != nil {
			return fmt.Errorf("lab stock configuration: %w", err)
		}
	}
	l.environment = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + l.inside, "LANG=C.UTF-8", "TERM=dumb"}
	return l.setZone(o.Timezone)
}

// setZone puts the time zone's file into the run directory.
func (l *Lab) setZone(name string) error {
	if l.installation.chroot == "" {
		if name != "" {
			return fmt.Errorf("lab time zone %q: an Asterisk of the host has the host's", name)
		}
		return nil
	}
	zone, err := readZone(name)
	if err != nil || zone == nil {
		return err
	}
	l.zone = filepath.Join(l.inside, "etc/localtime")
	return os.WriteFile(filepath.Join(l.EtcDir, "localtime"), zone, 0o644)
}

// host is the address with another last number in this lab's own network: 2 is the provider.
func (l *Lab) host(last int) string {
	return fmt.Sprintf("127.%d.%d.%d", l.installation.major, l.seat.number, last)
}

// Secret is the SIP password of an extension.
func Secret(exten string) string { return "secret-" + exten }

// Close ends the phones and Asterisk, and removes what the run left. A second Close does nothing.
func (l *Lab) Close() error {
	l.mu.Lock()
	closed, closers := l.closed, l.closers
	l.closed, l.closers = true, nil
	l.mu.Unlock()
	if closed {
		return nil
	}
	errs := make([]error, len(closers))
	var all sync.WaitGroup
	for i, closer := range closers {
		all.Go(func() { errs[i] = closer() })
	}
	all.Wait()
	l.end()
	if l.dir != "" {
		errs = append(errs, os.RemoveAll(l.dir))
	}
	l.seat.lock.release()
	l.installation.inUse.release()
	return errors.Join(errs...)
}
