package aritest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/dialbridge/dialbridge/ari"
	"github.com/dialbridge/dialbridge/ari/aritest"
)

// A test would say aritest.Start(t), which closes the server at its end. The code under test reaches the server by its
// URL and knows nothing of it.
func Example() {
	srv := aritest.Launch()
	defer srv.Close()
	srv.Handle("POST /channels", func(r aritest.Request) aritest.Answer {
		return aritest.OK(`{"id":"` + r.Field("channelId") + `","state":"Down"}`)
	})
	srv.Answer("DELETE /channels/*", aritest.Refuse(404, "Channel not found"))

	client := ari.New(srv.Options())
	defer client.Close()
	channel, err := client.Originate(context.Background(), ari.Originate{ID: "mine-1", Endpoint: "PJSIP/801"})
	fmt.Println(channel.ID, channel.State, err)
	err = client.Hangup(context.Background(), "mine-1", 16)
	fmt.Println(errors.Is(err, ari.ErrNotFound))
	fmt.Println(srv.Wait("POST /channels").Field("endpoint"))
	// Output:
	// mine-1 Down <nil>
	// true
	// PJSIP/801
}
