package ami_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// A client logs in, hears an event and asks for a list. The Asterisk of the example is a fake; a real one is reached by
// ami.Options{Address: "127.0.0.1:5038", Username: "...", Secret: "..."}.
func Example() {
	srv := amitest.Launch()
	defer srv.Close()
	srv.Handle("CoreShowChannels", func(s *amitest.Session, a ami.Action) {
		s.List(a, "Channels will follow", []ami.Message{
			amitest.NewEvent("CoreShowChannel", "Channel", "PJSIP/801-00000001"),
			amitest.NewEvent("CoreShowChannel", "Channel", "PJSIP/802-00000002"),
		}, "CoreShowChannelsComplete")
	})

	options := srv.Options()
	options.Want = func(event string) bool { return event == "Hangup" } // nothing else is even copied
	client := ami.New(options)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- client.Run(ctx) }()
	for items := range client.Stream() { // closed at the end of Run
		for _, item := range items {
			switch item.Kind {
			case ami.ItemConnected:
				fmt.Println("connected to version", item.Version)
				channels, err := client.List(ctx, ami.NewAction("CoreShowChannels"))
				fmt.Println(len(channels), "channels, the first is", channels[0].Get("Channel"), err)
				srv.Event("Hangup", "Channel", "PJSIP/801-00000001", "Cause", "16")
			case ami.ItemEvent:
				fmt.Println(item.Message.Event(), item.Message.Get("channel"), item.Message.Get("cause"))
				cancel()
			case ami.ItemDisconnected:
				fmt.Println("disconnected:", item.Err)
			}
		}
	}
	fmt.Println("ended:", <-ended)
	// Output:
	// connected to version 11.0.0
	// 2 channels, the first is PJSIP/801-00000001 <nil>
	// Hangup PJSIP/801-00000001 16
	// disconnected: logged off
	// ended: <nil>
}

// What an error of Do means for who wants to try again.
func ExampleClient_Do() {
	srv := amitest.Launch()
	defer srv.Close()
	srv.Silent("Originate") // is taken and never answered
	srv.Handle("DBGet", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", "Database entry not found") })
	client := ami.New(srv.Options())

	_, err := client.Do(context.Background(), ami.NewAction("Ping"))
	fmt.Println("before Run:", errors.Is(err, ami.ErrOffline)) // was not sent: may be repeated

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _ = client.Run(ctx) }()
	<-client.Stream() // is connected

	short, stop := context.WithTimeout(ctx, 10*time.Millisecond)
	defer stop()
	_, err = client.Do(short, ami.NewAction("Originate", "Channel", "PJSIP/801"))
	// Which of the two depends on whether it was written in time.
	fmt.Println("no answer:", errors.Is(err, ami.ErrUnknown) || errors.Is(err, ami.ErrOffline), errors.Is(err, context.DeadlineExceeded))

	_, err = client.Do(ctx, ami.NewAction("DBGet", "Family", "a", "Key", "b"))
	var refused *ami.ResponseError
	fmt.Println("refused:", errors.As(err, &refused), refused.Message)

	_, err = client.Do(ctx, ami.NewAction("DBPut", "Val", "a\r\nAction: Logoff"))
	fmt.Println("never sent:", err)

	cancel()
	for range client.Stream() { // to its end, which is that of Run
		continue
	}
	// Output:
	// before Run: true
	// no answer: true true
	// refused: true Database entry not found
	// never sent: "DBPut": header "Val" has a CR, LF or NUL
}

// A recorded stream, or one that another program holds, is read without a client.
func ExampleReader() {
	recorded := "Asterisk Call Manager/11.0.0\r\n" +
		"Event: VarSet\r\nVariable: A\r\nValue: a: b\r\n\r\nEvent: Cdr\r\nno colon\r\nUniqueID: 1.1\r\n\r\n"
	r := ami.NewReader(strings.NewReader(recorded))
	version, err := r.Banner()
	fmt.Println(version, err)
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		fmt.Printf("%s %q %q %q\n", m.Event(), m.Get("value"), m.Get("uniqueid"), m.Get(""))
	}
	// Output:
	// 11.0.0 <nil>
	// VarSet "a: b" "" ""
	// Cdr "" "1.1" "no colon"
}

// View copies nothing: what is kept is copied by the reader of the Frame.
func ExampleReader_View() {
	r := ami.NewReader(strings.NewReader("Event: VarSet\r\nX: y\r\n\r\nEvent: Hangup\r\nChannel: c\r\nCause: 16\r\n\r\n"))
	var kept ami.Message
	for {
		f, err := r.View()
		if errors.Is(err, io.EOF) {
			break
		}
		if string(f.Event()) != "Hangup" {
			continue // nothing but its first line was looked at
		}
		for name, value := range f.All() {
			fmt.Printf("%s=%s\n", name, value)
		}
		kept = f.Message()
	}
	fmt.Println(kept.Get("cause"))
	// Output:
	// Event=Hangup
	// Channel=c
	// Cause=16
	// 16
}

func ExampleMessage_Values() {
	m := ami.ParseMessage("Event: Newchannel\r\nChanVariable: A=1\r\nUniqueid: 1.1\r\nChanVariable: B=2\r\n")
	fmt.Println(m.Values("ChanVariable"))
	// Output: [A=1 B=2]
}
