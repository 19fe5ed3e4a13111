package plan

import (
	"context"
	"errors"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/types"
	_ "github.com/dolthub/go-mysql-server/sql/variables" // defines time_zone and its like
	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/tideline/tideline/timeline/row"
)

// timeColumn is the virtual column every stream has: the event time of its row.
const timeColumn = "_time"

// database is the name under which the binder knows the pipeline's tables.
const database = "pipeline"

// textType compares bytewise (L6): 'A' and 'a' differ, and so do 'a' and 'a '.
var textType = types.MustCreateString(sqltypes.Text, types.LongTextBlobMax,
	sql.Collation_utf8mb4_0900_bin)

var timestampType = types.MustCreateDatetimeType(sqltypes.Datetime, 6)

// sqlType returns the type by which the SQL engine knows a column.
func sqlType(t row.Type) sql.Type {
	switch t.Kind {
	case row.Bigint:
		return types.Int64
	case row.Double:
		return types.Float64
	case row.Decimal:
		if t.Precision == 0 {
			return types.MustCreateDecimalType(types.DecimalTypeMaxPrecision, types.DecimalTypeMaxScale)
		}
		return types.MustCreateDecimalType(uint8(t.Precision), uint8(t.Scale))
	case row.Boolean:
		return types.Boolean
	case row.Timestamp:
		return timestampType
	case row.Date:
		return types.Date
	case row.Bytes:
		return types.LongBlob
	case row.JSON:
		return types.JSON
	}
	return textType
}

// newContext returns a context of the SQL engine in which nothing depends on the
// machine: UTC, strict mode, a session of its own.
func newContext() (*sql.Context, error) {
	session := sql.NewBaseSession()
	ctx := sql.NewContext(context.Background(), sql.WithSession(session))
	ctx.SetCurrentDatabase(database)
	if err := session.SetSessionVariable(ctx, "time_zone", "+00:00"); err != nil {
		return nil, err
	}
	return ctx, nil
}

// newCatalog makes the streams known to the binder as tables.
func newCatalog(streams []*Stream) sql.Catalog {
	db := &tables{}
	for _, s := range streams {
		t := &table{name: s.Name}
		add := func(name string, typ sql.Type) {
			t.schema = append(t.schema, &sql.Column{
				Name: name, Type: typ, Nullable: true, Source: s.Name, DatabaseSource: database,
			})
		}
		for _, c := range s.Schema.Columns {
			add(c.Name, sqlType(c.Type))
		}
		add(timeColumn, timestampType)
		db.all = append(db.all, t)
	}
	return analyzer.NewCatalog(db)
}

// scopeCatalog makes the tables of one FROM known to the binder, under their aliases.
func scopeCatalog(scope []*relation) sql.Catalog {
	db := &tables{}
	for _, r := range scope {
		t := &table{name: r.alias}
		for _, c := range r.cols {
			if c.name == "" {
				continue
			}
			t.schema = append(t.schema, &sql.Column{
				Name: c.name, Type: sqlType(c.typ), Nullable: true, Source: r.alias,
				DatabaseSource: database,
			})
		}
		db.all = append(db.all, t)
	}
	return analyzer.NewCatalog(db)
}

// tables is the one database of the catalog, and its provider.
type tables struct{ all []*table }

func (d *tables) Name() string { return database }

func (d *tables) Database(_ *sql.Context, name string) (sql.Database, error) {
	if !strings.EqualFold(name, database) {
		return nil, sql.ErrDatabaseNotFound.New(name)
	}
	return d, nil
}

func (d *tables) HasDatabase(_ *sql.Context, name string) bool {
	return strings.EqualFold(name, database)
}

func (d *tables) AllDatabases(*sql.Context) []sql.Database { return []sql.Database{d} }

func (d *tables) GetTableInsensitive(_ *sql.Context, name string) (sql.Table, bool, error) {
	for _, t := range d.all {
		if strings.EqualFold(t.name, name) {
			return t, true, nil
		}
	}
	return nil, false, nil
}

func (d *tables) GetTableNames(*sql.Context) ([]string, error) {
	names := make([]string, len(d.all))
	for i, t := range d.all {
		names[i] = t.name
	}
	return names, nil
}

// table has a schema only; nothing is ever read through the SQL engine.
type table struct {
	name   string
	schema sql.Schema
}

var errNoRows = errors.New("reading table: the planner's tables hold no rows")

func (t *table) Name() string   { return t.name }
func (t *table) String() string { return t.name }

func (t *table) Schema() sql.Schema { return t.schema }

func (t *table) Collation() sql.CollationID { return sql.Collation_utf8mb4_0900_bin }

func (t *table) Partitions(*sql.Context) (sql.PartitionIter, error) { return nil, errNoRows }

func (t *table) PartitionRows(*sql.Context, sql.Partition) (sql.RowIter, error) {
	return nil, errNoRows
}
