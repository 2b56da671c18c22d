package phone

import (
	"math"
	"testing"
)

// TestTone tells tones apart that come alone and together, in both codings.
func TestTone(t *testing.T) {
	for codec, encode := range map[uint8]func(int16) byte{payloadPCMU: encodePCMU, payloadPCMA: encodePCMA} {
		for _, test := range []map[int]float64{{}, {400: 8000}, {440: 1500}, {400: 8000, 440: 1500}, {600: 8000, 440: 400}} {
			var e ear
			for n := range 2 * listenSamples {
				sum := 0.0
				for hz, loudness := range test {
					sum += loudness * math.Sin(2*math.Pi*float64(hz)*float64(n)/8000)
				}
				e.hear(codec, []byte{encode(int16(sum))})
			}
			for _, hz := range []int{400, 440, 600} {
				if got := e.amplitude(hz); math.Abs(got-test[hz]) > 100 {
					t.Errorf("codec %d, %v: %d Hz at %.0f", codec, test, hz, got)
				}
			}
		}
	}
}
