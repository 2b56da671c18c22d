package amitest_test

import (
	"context"
	"fmt"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// A test would say amitest.Start(t), which closes the server at its end. The code under test reaches the server by its
// address and knows nothing of it.
func Example() {
	srv := amitest.Launch()
	defer srv.Close()
	srv.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Originate successfully queued")
		s.Event("Newchannel", "Channel", a.Get("Channel")+"-00000001", "Uniqueid", "1.1")
		s.Event("OriginateResponse", "ActionID", a.Get("ActionID"), "Response", "Success")
	})

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error)
	client := ami.New(srv.Options())
	go func() { ended <- client.Run(ctx) }()

	up, answered := make(chan bool, 1), make(chan error)
	go func() { // what is under test
		<-up
		_, err := client.Do(ctx, ami.NewAction("Originate", "Channel", "PJSIP/801", "Context", "from-internal", "Exten", "802"))
		answered <- err
	}()
	for items := range client.Stream() {
		for _, item := range items {
			switch {
			case item.Kind == ami.ItemConnected:
				up <- true
			case item.Message.Event() == "OriginateResponse":
				fmt.Println("answered:", <-answered)
				cancel()
			}
		}
	}
	fmt.Println("ended:", <-ended)
	fmt.Println("dialled:", srv.Wait("Originate").Get("Exten"))
	// Output:
	// answered: <nil>
	// ended: <nil>
	// dialled: 802
}

// Faults of a real exchange are made by one call each.
func ExampleServer_Drop() {
	srv := amitest.Launch()
	defer srv.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client := ami.New(srv.Options())
	go func() { _ = client.Run(ctx) }()
	seen := 0
	for items := range client.Stream() {
		for _, item := range items {
			switch item.Kind {
			case ami.ItemConnected:
				fmt.Println("connected")
				if seen++; seen == 1 {
					srv.Drop()
				} else {
					cancel()
				}
			case ami.ItemDisconnected:
				fmt.Println("lost")
			}
		}
	}
	// Output:
	// connected
	// lost
	// connected
	// lost
}
