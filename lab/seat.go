package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// seats is how many runs of one version can live side by side.
const seats = 250

// seat is what one run has to itself: a number, and by it an address and a run directory.
type seat struct {
	number int
	lock   *lock
}

// takeSeat takes the lowest free seat of the major version.
func takeSeat(ctx context.Context, major int) (seat, error) {
	for n := 1; n <= seats; n++ {
		l, err := tryLock(seatPath(major, n), lockAlone)
		if err != nil {
			return seat{}, err
		}
		if l == nil {
			continue
		}
		// One whose owner died this instant may still have the address.
		if addressFree(ctx, address(major, n)) {
			return seat{number: n, lock: l}, nil
		}
		l.release()
	}
	return seat{}, fmt.Errorf("lab: no free address from 127.%d.1.1 to 127.%d.%d.1: is another program listening on port 5038 or 5060 of all addresses?",
		major, major, seats)
}

// seatPath is the lock of a seat. It does not lie in the cache: addresses belong to the machine, and runs with another cache
// folder must see it too.
func seatPath(major, n int) string {
	return filepath.Join(os.TempDir(), "dialbridge-lab-seats", fmt.Sprintf("%d-%d.lock", major, n))
}

// address is the host n of the run: 1 is Asterisk, 2 the provider, 100 and more the phones.
func address(major, n int) string { return fmt.Sprintf("127.%d.%d.1", major, n) }

func addressFree(ctx context.Context, ip string) bool {
	var config net.ListenConfig
	for _, port := range []string{"5038", "8088"} {
		listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(ip, port))
		if err != nil {
			return false
		}
		_ = listener.Close()
	}
	conn, err := config.ListenPacket(ctx, "udp", net.JoinHostPort(ip, "5060"))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// sweep removes the run directories of the dead; those of the living are locked.
func sweep(runs string, major int) error {
	entries, err := os.ReadDir(runs)
	if err != nil {
		return fmt.Errorf("lab run directories: %w", err)
	}
	for _, entry := range entries {
		n, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		l, err := tryLock(seatPath(major, n), lockAlone)
		if err != nil {
			return err
		}
		if l == nil {
			continue
		}
		err = os.RemoveAll(filepath.Join(runs, entry.Name()))
		l.release()
		if err != nil {
			return fmt.Errorf("lab run directories: %w", err)
		}
	}
	return nil
}
