package lab

import (
	"embed"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

//go:embed etc/*.conf
var templates embed.FS

// settings are what the configuration templates see.
type settings struct {
	Dir                                string // run directory as Asterisk sees it
	IP, TrunkIP                        string
	Tech                               string
	AMISecret                          string
	LimitedSecret                      string
	ARIPassword                        string
	Timestamps, CDRManager, Unanswered bool
	Phones                             []account
}

type account struct{ Number, Secret string }

// runFolders are the folders of a run directory. Debian's package makes no spool/recording, without which ARI can
// neither record nor list recordings.
var runFolders = []string{
	"etc", "db/keys", "run", "moh", "log/cdr-csv", "log/cdr-custom", "log/cel-custom",
	"spool/monitor", "spool/recording", "spool/outgoing", "spool/tmp", "spool/voicemail", "spool/system",
}

// otherDriver are the files of the SIP driver that is not used. They stay empty: Asterisk 16 has both drivers, and both
// would listen on port 5060.
var otherDriver = map[string][]string{
	"SIP":   {"pjsip.conf", "pjsip_wizard.conf", "sorcery.conf"},
	"PJSIP": {"sip.conf"},
}

// fill makes the contents of a run directory on the host.
func fill(dir string, s settings) error {
	for _, folder := range runFolders {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return fmt.Errorf("lab run directory: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "moh/hold.sln"), holdTone(), 0o644); err != nil {
		return fmt.Errorf("lab run directory: %w", err)
	}
	all, err := template.ParseFS(templates, "etc/*.conf")
	if err != nil {
		return fmt.Errorf("lab configuration: %w", err)
	}
	for _, t := range all.Templates() {
		var text strings.Builder
		if slices.Contains(otherDriver[s.Tech], t.Name()) {
			text.WriteString("; Not used.\n")
		} else if err := t.Execute(&text, s); err != nil {
			return fmt.Errorf("lab configuration: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, "etc", t.Name()), []byte(text.String()), 0o644); err != nil {
			return fmt.Errorf("lab configuration: %w", err)
		}
	}
	return nil
}

// holdTone is five seconds of a quiet 440 Hz, signed linear at 8 kHz: music on hold that can be told from silence.
func holdTone() []byte {
	const rate, seconds, frequency, loudness = 8000, 5, 440, 1500
	tone := make([]byte, 0, 2*rate*seconds)
	for i := range rate * seconds {
		sample := loudness * math.Sin(2*math.Pi*frequency*float64(i)/rate)
		tone = binary.LittleEndian.AppendUint16(tone, uint16(int16(sample)))
	}
	return tone
}
