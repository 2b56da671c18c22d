package pbx

import (
	"cmp"
	"strconv"
	"strings"
)

// basicBridge is the type of the bridges in which a call talks; conferences have others.
const basicBridge = "basic"

// unite brings who enters a bridge and all who are in it into the oldest of their calls. Asterisk does so as soon as they meet
// (ast_channel_set_linkgroup), and tells it with the next event of each, which may be that of its end.
func (s *state) unite(ch *channel, others []*channel) {
	oldest := ch.Linked
	for _, other := range others {
		if older(other.Linked, oldest) {
			oldest = other.Linked
		}
	}
	for _, each := range append([]*channel{ch}, others...) {
		if each.Linked != oldest {
			s.moveChannel(each, oldest)
		}
	}
}

// older reports whether one Linkedid is older than another, as Asterisk compares them: SYSTEM-SECONDS.NUMBER by seconds, then by the
// number, which is 0 for what does not begin with a digit.
func older(a, b string) bool {
	aSeconds, aNumber := age(a)
	bSeconds, bNumber := age(b)
	return cmp.Or(cmp.Compare(aSeconds, bSeconds), cmp.Compare(aNumber, bNumber)) < 0
}

func age(linked string) (seconds, number uint64) {
	before, after, _ := strings.Cut(linked[strings.LastIndexByte(linked, '-')+1:], ".")
	return leadingNumber(before), leadingNumber(after)
}

func leadingNumber(text string) uint64 {
	n, _ := strconv.ParseUint(text[:len(text)-len(strings.TrimLeft(text, "0123456789"))], 10, 64) // 0 for none
	return n
}
