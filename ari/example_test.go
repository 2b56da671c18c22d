package ari_test

import (
	"context"
	"fmt"

	"github.com/dialbridge/dialbridge/ari"
	"github.com/dialbridge/dialbridge/ari/aritest"
)

// An application hears of a channel that has come to it and answers it. The Asterisk of the example is a fake; a real one
// is reached by ari.Options{URL: "http://127.0.0.1:8088/ari", Username: "...", Password: "...", Application: "..."}.
func Example() {
	srv := aritest.Launch()
	defer srv.Close()
	srv.Handle("POST /channels/*/answer", func(r aritest.Request) aritest.Answer {
		srv.Event("ChannelStateChange", `"channel":{"id":"`+r.Part(1)+`","state":"Up"}`)
		return aritest.Done()
	})

	options := srv.Options()
	options.Want = func(kind string) bool { return kind == "StasisStart" || kind == "ChannelStateChange" }
	client := ari.New(options)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- client.Run(ctx) }()
	for items := range client.Stream() { // closed at the end of Run
		for _, item := range items {
			switch item.Kind {
			case ari.ItemConnected:
				fmt.Println("connected")
				srv.Event("ChannelVarset", `"variable":"X","value":"1"`) // is not wanted
				srv.Event("StasisStart", `"args":["a","b"]`, `"channel":{"id":"1.1","state":"Ring"}`)
			case ari.ItemEvent:
				body, err := item.Event.Decode()
				fmt.Println(item.Event.Type, body.Channel.ID, body.Channel.State, body.Args, err)
				if item.Event.Type == "ChannelStateChange" {
					cancel()
				} else if err := client.Answer(ctx, body.Channel.ID); err != nil {
					fmt.Println(err)
				}
			case ari.ItemDisconnected:
				fmt.Println("disconnected:", item.Err)
			}
		}
	}
	fmt.Println("ended:", <-ended, client.Stats().Unwanted)
	// Output:
	// connected
	// StasisStart 1.1 Ring [a b] <nil>
	// ChannelStateChange 1.1 Up [] <nil>
	// disconnected: ari: closed by us
	// ended: <nil> 1
}

func ExampleEvent_Decode() {
	e := ari.Event{Type: "ChannelDestroyed", Raw: `{"type":"ChannelDestroyed","cause":17,"cause_txt":"User busy","channel":{"id":"1.1"}}`}
	body, err := e.Decode()
	fmt.Println(body.Channel.ID, body.Cause, body.CauseText, err)
	// Output: 1.1 17 User busy <nil>
}
