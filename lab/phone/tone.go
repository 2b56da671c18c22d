package phone

import (
	"context"
	"fmt"
	"math"
)

// listenSamples is how much of what came last is kept for Tone: 400 ms, in which tones 10 Hz apart can be told from one another.
const listenSamples = 3200

// ear keeps the newest sound of a stream, oldest sample first.
type ear struct{ samples []float64 }

func (e *ear) hear(codec uint8, payload []byte) {
	for _, b := range payload {
		e.samples = append(e.samples, decode(codec, b))
	}
	if over := len(e.samples) - listenSamples; over > 0 {
		e.samples = append(e.samples[:0], e.samples[over:]...)
	}
}

// amplitude of a tone in what was heard, by Goertzel's algorithm under a Hann window, which keeps neighbouring tones apart.
func (e *ear) amplitude(hz int) float64 {
	n := len(e.samples)
	if n < listenSamples {
		return 0
	}
	w := 2 * math.Pi * float64(hz) / 8000
	var s1, s2 float64
	for i, x := range e.samples {
		hann := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(n))
		s1, s2 = x*hann+2*math.Cos(w)*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - 2*math.Cos(w)*s1*s2
	return 4 * math.Sqrt(max(0, power)) / float64(n)
}

// decode is G.711 back to a linear sample.
func decode(codec uint8, b byte) float64 {
	if codec == payloadPCMA {
		b ^= 0x55
		magnitude, exponent := float64(b&0x0f)*16+8, int(b>>4&7)
		if exponent > 0 {
			magnitude = (magnitude + 256) * float64(int(1)<<(exponent-1))
		}
		return signed(magnitude, b&0x80 == 0)
	}
	b = ^b
	magnitude := (float64(b&0x0f)*8+132)*float64(int(1)<<(b>>4&7)) - 132
	return signed(magnitude, b&0x80 != 0)
}

func signed(magnitude float64, negative bool) float64 {
	if negative {
		return -magnitude
	}
	return magnitude
}

// Tone is how loud a tone is in the 400 ms of sound that came last, as an amplitude out of 32767; 0 as long as less has come.
func (c *Call) Tone(hz int) float64 {
	c.p.mu.Lock()
	m := c.media
	c.p.mu.Unlock()
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ear.amplitude(hz)
}

// audible is the amplitude from which a tone counts as heard: far above what coding and windowing leave of other tones.
const audible = 300

// Hears waits until a fresh stretch of sound holds the tones that are wanted and no others of those in question.
func (c *Call) Hears(ctx context.Context, question []int, wanted ...int) error {
	want := map[int]bool{}
	for _, hz := range wanted {
		want[hz] = true
	}
	fresh := c.Stats().PacketsIn + listenSamples/frameSamples
	heard := ""
	err := c.Until(ctx, fmt.Sprintf("tones %v of %v", wanted, question), func(s Stats) bool {
		if s.PacketsIn < fresh {
			return false
		}
		right := true
		heard = ""
		for _, hz := range question {
			loudness := c.Tone(hz)
			heard += fmt.Sprintf(" %d Hz: %.0f", hz, loudness)
			right = right && (loudness > audible) == want[hz]
		}
		return right
	})
	if err != nil {
		return fmt.Errorf("%w; heard%s", err, heard)
	}
	return nil
}
