package pbx

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// position is a place in Asterisk's own file of call detail records (cdr_csv's Master.csv).
type position struct {
	known  bool   // false before the first look
	inode  uint64 // 0 while there is no file
	offset int64
}

// recordFile follows that file, so that records which were written while nobody listened are read from it. Only the place is
// kept up while Asterisk tells its records itself.
type recordFile struct {
	path    string
	told    position // everything before it was told by Asterisk, or read
	next    position // where the file ended at the last look
	looked  time.Time
	changed bool // told differs from what is stored
}

// lookEvery is how often the place is kept up. Asterisk writes the file and tells the record in one go, so that what stood
// in the file one look ago has been told.
const lookEvery = 10 * time.Second

// maxRecords bounds what is read after a gap, in bytes: some 250,000 records.
const maxRecords = 64 << 20

// errTooMany tells that there were more records than are read. Those that were are good.
var errTooMany = errors.New("too many records")

// look keeps the place up while the link was never interrupted.
func (r *recordFile) look(now time.Time) {
	if r.path == "" || now.Sub(r.looked) < lookEvery {
		return
	}
	r.looked = now
	at, err := endOf(r.path)
	if err != nil {
		return // where it is not readable there is nothing to keep up
	}
	if r.next.known && r.next != r.told {
		r.told, r.changed = r.next, true
	}
	r.next = at
}

func endOf(path string) (position, error) {
	info, err := os.Stat(path)
	if err != nil {
		return position{}, err
	}
	return position{known: true, inode: inodeOf(info), offset: info.Size()}, nil
}

func inodeOf(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

// missed reads the records behind a place and returns them and the new place. A file that was rotated is read to its end
// first, where it is still beside the new one under its usual name. Without a place nothing is old: the end is returned. With
// errTooMany come the oldest records, of at most limit bytes a file, and the end.
func missed(path string, from position, limit int64) (list []CDR, to position, err error) {
	if path == "" {
		return nil, from, nil
	}
	end, err := endOf(path)
	if errors.Is(err, fs.ErrNotExist) {
		from.known = true
		return nil, from, nil // no record was ever written
	}
	if err != nil || !from.known {
		return nil, end, err
	}
	var full error
	if from.inode != end.inode {
		if old, err := endOf(path + ".1"); err == nil && old.inode == from.inode {
			if list, _, err = readRecords(path+".1", from.offset, limit); err != nil && !errors.Is(err, errTooMany) {
				return nil, from, err
			}
			full = err
		}
		from = position{}
	} else if end.offset < from.offset {
		from.offset = 0 // truncated
	}
	fresh, n, err := readRecords(path, from.offset, limit)
	if errors.Is(err, errTooMany) {
		return append(list, fresh...), end, err
	}
	return append(list, fresh...), position{known: true, inode: end.inode, offset: from.offset + n}, cmp.Or(err, full)
}

// readRecords reads whole lines from an offset on and returns how many bytes they were, at most limit: errTooMany.
func readRecords(path string, offset, limit int64) (list []CDR, n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.NewSectionReader(f, offset, limit))
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	if int64(len(text)) == limit {
		err = fmt.Errorf("%s: %w: more than %d bytes from byte %d on", path, errTooMany, limit, offset)
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1] // a line that is being written is for the next time
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, true
	for {
		row, broken := r.Read()
		if errors.Is(broken, io.EOF) {
			return list, int64(len(text)), err
		}
		if broken == nil && len(row) > 16 && row[16] != "" { // without loguniqueid=yes a record cannot be tied to a call
			list = append(list, recordOf(row))
		}
	}
}

// recordOf reads a row of cdr_csv (cdr/cdr_csv.c): accountcode, src, dst, dcontext, clid, channel, dstchannel, lastapp,
// lastdata, start, answer, end, duration, billsec, disposition, amaflags, uniqueid.
func recordOf(row []string) CDR {
	return CDR{
		Source: row[1], Destination: row[2], DestinationContext: row[3], CallerID: row[4], Channel: row[5],
		DestinationChannel: row[6], LastApplication: row[7], LastData: row[8], Start: row[9], Answer: row[10], End: row[11],
		Duration: row[12], Billable: row[13], Disposition: row[14], UniqueID: row[16],
	}
}
