package phone

import (
	"math"
	"math/bits"
)

const (
	toneStep      = 50   // Hz: a whole number of cycles fits into 20 ms, so one frame repeats for ever
	toneAmplitude = 8000 // of 32767
	loudCode      = 0x30 // magnitude code of G.711 from which a sample counts as sound
)

// toneFrame is 20 ms of a sine tone, or of silence for 0 Hz.
func toneFrame(hz int, encode func(sample int16) byte) []byte {
	hz = (hz + toneStep/2) / toneStep * toneStep
	frame := make([]byte, frameSamples)
	for i := range frame {
		angle := 2 * math.Pi * float64(hz) * float64(i) / 8000
		frame[i] = encode(int16(toneAmplitude * math.Sin(angle)))
	}
	return frame
}

// encodePCMU is G.711 mu-law.
func encodePCMU(sample int16) byte {
	const bias, clip = 0x84, 32635
	sign, magnitude := byte(0), int(sample)
	if magnitude < 0 {
		sign, magnitude = 0x80, -magnitude
	}
	magnitude = min(magnitude, clip) + bias
	exponent := bits.Len(uint(magnitude)) - 8
	mantissa := byte(magnitude>>(exponent+3)) & 0x0f
	return ^(sign | byte(exponent)<<4 | mantissa)
}

// encodePCMA is G.711 A-law.
func encodePCMA(sample int16) byte {
	sign, magnitude := byte(0x80), int(sample)
	if magnitude < 0 {
		sign, magnitude = 0, -magnitude-1
	}
	magnitude >>= 3
	exponent := max(bits.Len(uint(magnitude))-5, 0)
	mantissa := byte(magnitude>>max(exponent, 1)) & 0x0f
	return (sign | byte(exponent)<<4 | mantissa) ^ 0x55
}

// loud says whether a frame holds more than silence and the noise of its coding.
func loud(codec uint8, payload []byte) bool {
	for _, b := range payload {
		code := ^b & 0x7f
		if codec == payloadPCMA {
			code = (b ^ 0x55) & 0x7f
		}
		if code >= loudCode {
			return true
		}
	}
	return false
}
