package blacklist

import (
	"context"
	"database/sql"
	"strings"
)

// schema holds the table of this package. For each way there are: whether the number is listed, whether AstDB had it when
// both were last written, and when it was removed (milliseconds, 0 = never or listed again). A row whose
// number is no longer listed stays until AstDB knows that too, and a day longer.
var schema = []string{
	`CREATE TABLE blacklist_numbers (
		number TEXT PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, note TEXT NOT NULL, created_at INTEGER NOT NULL,
		inbound INTEGER NOT NULL DEFAULT 0, inbound_astdb INTEGER NOT NULL DEFAULT 0, inbound_removed INTEGER NOT NULL DEFAULT 0,
		outbound INTEGER NOT NULL DEFAULT 0, outbound_astdb INTEGER NOT NULL DEFAULT 0, outbound_removed INTEGER NOT NULL DEFAULT 0
	 ) WITHOUT ROWID;
	 CREATE INDEX blacklist_pending_inbound ON blacklist_numbers (number) WHERE inbound <> inbound_astdb;
	 CREATE INDEX blacklist_pending_outbound ON blacklist_numbers (number) WHERE outbound <> outbound_astdb;
	 CREATE TABLE blacklist_token (id INTEGER PRIMARY KEY CHECK (id = 1), epoch TEXT NOT NULL, count INTEGER NOT NULL)`,
}

// astdbValue is what is written for a number; func_blacklist asks only whether there is an entry.
const astdbValue = "1"

// side is one way with its family of AstDB and its columns.
type side struct {
	way     Way
	family  string
	columns *strings.Replacer
}

func newSide(way Way, family, column string) side {
	return side{way, family, strings.NewReplacer("{listed}", column, "{marked}", column+"_astdb", "{removed}", column+"_removed")}
}

// sql puts the columns of this side into a statement.
func (s side) sql(statement string) string { return s.columns.Replace(statement) }

// sides returns both.
func sides() [2]side {
	return [2]side{newSide(Inbound, "blacklist", "inbound"), newSide(Outbound, "blacklist_out", "outbound")}
}

// exec runs a statement of a transaction, which nothing breaks off half-way, and returns how many rows it changed.
func exec(tx *sql.Tx, statement string, args ...any) (int64, error) {
	result, err := tx.ExecContext(context.Background(), statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
