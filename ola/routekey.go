package ola

import (
	"slices"
	"strings"

	"github.com/dialbridge/dialbridge/pbx"
)

// routeKey is what a client subscribes to: words with dots between them, as in AMQP 0-9-1. * stands for one word, # for any number.
//
//	ola.agent.EXTN          what an agent does
//	ola.caller.EXTN         who waits in the queues of an agent
//	ola.queue.QUEUE.EXTN    what an agent of that queue does
type routeKey []string

const (
	maxKey      = 256 // bytes
	maxKeyWords = 8   // each # doubles the work of a comparison
	maxKeys     = 256 // of one socket
)

// The first words of keys.
const (
	topicAgent  = "agent"
	topicCaller = "caller"
	topicQueue  = "queue"
)

// parseKey reads a key; the error is an answer.
func parseKey(text string) (routeKey, error) {
	k := routeKey(strings.Split(text, "."))
	if len(text) > maxKey || len(k) > maxKeyWords || slices.Contains(k, "") {
		return nil, unusable("key: not a routing key")
	}
	return k, nil
}

// matches reports whether the key stands for a routing key without wildcards.
func (k routeKey) matches(words ...string) bool {
	if len(k) == 0 {
		return len(words) == 0
	}
	if k[0] == "#" {
		return k[1:].matches(words...) || len(words) > 0 && k.matches(words[1:]...)
	}
	return len(words) > 0 && (k[0] == "*" || k[0] == words[0]) && k[1:].matches(words[1:]...)
}

// within reports whether the key can stand for nothing but one agent: a queue's name may be left open.
func (k routeKey) within(n pbx.Exten) bool {
	switch {
	case len(k) == 3 && (k[1] == topicAgent || k[1] == topicCaller), len(k) == 4 && k[1] == topicQueue && k[2] != "#":
		return k[0] == "ola" && k[len(k)-1] == string(n)
	}
	return false
}

// exten is the only agent that the key can stand for; "" when there may be several.
func (k routeKey) exten() pbx.Exten {
	last := k[len(k)-1]
	if last == "*" || slices.Contains(k, "#") {
		return ""
	}
	return pbx.Exten(last)
}

// ofAgent reports whether the key stands for what an agent does.
func (k routeKey) ofAgent(x *pbx.Agent) bool {
	return k.matches("ola", topicAgent, string(x.Exten)) ||
		slices.ContainsFunc(x.Queues, func(q pbx.QueueName) bool { return k.matches("ola", topicQueue, string(q), string(x.Exten)) })
}

// ofCaller reports whether the key stands for those who wait in the queues of an agent.
func (k routeKey) ofCaller(n pbx.Exten) bool { return k.matches("ola", topicCaller, string(n)) }
