"""Reads what TestOutsideReaders wrote, with pyarrow, DuckDB and polars, and exits with
an error if a type, a value, a piece of metadata or a filtered count is wrong.

usage: read.py DIRECTORY
"""
import datetime
import decimal
import json
import math
import pathlib
import sys

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq

decimal.getcontext().prec = 100
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)
DAY = datetime.timedelta(days=1)

TYPES = [
    pa.int64(), pa.float64(), pa.decimal128(12, 2), pa.decimal128(38, 10),
    pa.decimal128(4, 4), pa.decimal128(38, 10), pa.string(), pa.bool_(),
    pa.timestamp("us", tz="UTC"), pa.date32(), pa.binary(), pa.string(), pa.string(),
]
TIDELINE_TYPES = [
    "bigint", "double", "decimal(12,2)", "decimal(38,10)", "decimal(4,4)", "decimal",
    "text", "boolean", "timestamp(6)", "date", "bytes", "json", "text",
]
META = {
    "tideline.view": "order_view",
    "tideline.as_of": "2023-11-14T22:13:20.123Z",
    "tideline.watermark": "2023-11-14T22:14:20.000007Z",
    "tideline.quality": "estimated",
    "tideline.pipeline": "shop",
    "tideline.pipeline_version": "v3",
    "tideline.key": '["c0"]',
}
EXTENSIONS = [".arrow", ".arrows", ".parquet"]


def check(what, got, want):
    if got != want:
        sys.exit(f"{what}:\n got {got!r}\nwant {want!r}")


def spelt(value):
    """The other half of spelt in outside_test.go, after reading."""
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // MICROSECOND
    if isinstance(value, datetime.date):
        return (value - EPOCH.date()) // DAY
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return value


def wanted(types, rows):
    """What was written, from its spelling."""
    def one(kind, text):
        if text is None:
            return None
        if kind == "double":
            value = float.fromhex(text)
            return "nan" if math.isnan(value) else value
        if kind.startswith("decimal"):
            return decimal.Decimal(text)
        if kind == "boolean":
            return text == "true"
        if kind == "bytes":
            return bytes.fromhex(text)
        if kind in ("text", "json"):
            return text
        return int(text)

    return [tuple(one(k, v) for k, v in zip(types, row)) for row in rows]


def with_pyarrow(path):
    if path.suffix == ".arrow":
        return pa.ipc.open_file(path).read_all()
    if path.suffix == ".arrows":
        return pa.ipc.open_stream(path).read_all()
    return pq.read_table(path)


def with_polars(path):
    if path.suffix == ".arrow":
        return pl.read_ipc(path)
    if path.suffix == ".arrows":
        return pl.read_ipc_stream(path)
    return pl.read_parquet(path)


def with_duckdb(path):
    db = duckdb.connect()
    db.execute("set TimeZone = 'UTC'")
    if path.suffix == ".parquet":
        return db.sql(f"select * from read_parquet('{path}')").fetchall()
    return db.from_arrow(with_pyarrow(path)).fetchall()


def tuples(columns):
    return [tuple(spelt(v) for v in row) for row in zip(*columns)]


def check_schema(path, schema):
    check(f"{path.name}: types", [f.type for f in schema], TYPES)
    check(f"{path.name}: nullable", [f.nullable for f in schema], [False] + [True] * 12)
    own = {k.decode(): v.decode() for k, v in schema.metadata.items()}
    check(f"{path.name}: metadata", {k: own.get(k) for k in META}, META)
    kinds = [f.metadata[b"tideline.type"].decode() for f in schema]
    check(f"{path.name}: field metadata", kinds, TIDELINE_TYPES)


def check_values(path, want):
    table = with_pyarrow(path)
    table.validate(full=True)
    check_schema(path, table.schema)
    check(f"{path.name}: pyarrow", tuples([c.to_pylist() for c in table.columns]), want)
    frame = with_polars(path)
    check(f"{path.name}: polars", tuples([c.to_list() for c in frame.get_columns()]), want)
    rows = [tuple(spelt(v) for v in row) for row in with_duckdb(path)]
    check(f"{path.name}: duckdb", rows, want)


def check_parquet_metadata(path):
    """Readers that know nothing of Arrow find the metadata in the footer."""
    rows = duckdb.sql(f"select key, value from parquet_kv_metadata('{path}')").fetchall()
    own = {bytes(k).decode(): bytes(v).decode() for k, v in rows}
    check(f"{path.name}: footer", {k: own.get(k) for k in META}, META)
    file = pq.ParquetFile(path)
    codecs = {file.metadata.row_group(g).column(c).compression
              for g in range(file.metadata.num_row_groups)
              for c in range(file.metadata.num_columns)}
    check(f"{path.name}: compression", codecs - {"ZSTD"}, set())


def check_filters(directory):
    """Filters that skip by statistics count what filters over all rows count."""
    path = directory / "many.parquet"
    if pq.ParquetFile(path).metadata.num_row_groups < 2:
        sys.exit("many.parquet has one row group: nothing to skip")
    tables = [with_pyarrow(directory / ("many" + e)) for e in EXTENSIONS]
    for t in tables[1:]:
        check("many: formats agree", t.equals(tables[0]), True)
    table, frame = tables[0], pl.scan_parquet(path)
    for column, bound in [
        ("c0", -999_999), ("c0", 60_000), ("c1", decimal.Decimal("-169999.83")),
        ("c1", decimal.Decimal("0.00")), ("c1", decimal.Decimal("10200.17")),
        ("c2", "k0000010"), ("c2", "k1100000"), ("c3", -0.5), ("c3", 10_000.5),
    ]:
        kind = table.schema.field(column).type
        below = pc.less(table[column], pa.scalar(bound, kind))
        want = [pc.sum(below).as_py(), pc.sum(pc.invert(below)).as_py()]
        literal = f"'{bound}'" if isinstance(bound, str) else str(bound)
        for i, sign in enumerate(["<", ">="]):
            sql = f"select count(*) from read_parquet('{path}') where {column} {sign} {literal}"
            check(f"{sql}: duckdb", duckdb.sql(sql).fetchall()[0][0], want[i])
            got = pq.read_table(path, filters=[(column, sign, bound)]).num_rows
            check(f"{sql}: pyarrow", got, want[i])
            side = pl.col(column) < bound if sign == "<" else pl.col(column) >= bound
            got = frame.filter(side).select(pl.len()).collect().item()
            check(f"{sql}: polars", got, want[i])


def main():
    directory = pathlib.Path(sys.argv[1])
    for name in ["values", "empty"]:
        want = wanted(TIDELINE_TYPES, json.loads((directory / (name + ".json")).read_text()))
        for extension in EXTENSIONS:
            check_values(directory / (name + extension), want)
        check_parquet_metadata(directory / (name + ".parquet"))
    # Above 38 digits only Arrow's own libraries follow.
    want = wanted(["bigint", "decimal(65,30)"], json.loads((directory / "wide.json").read_text()))
    for extension in EXTENSIONS:
        table = with_pyarrow(directory / ("wide" + extension))
        check("wide: type", table.schema.field(1).type, pa.decimal256(65, 30))
        check(f"wide{extension}", tuples([c.to_pylist() for c in table.columns]), want)
    check_filters(directory)
    print(f"pyarrow {pa.__version__}, duckdb {duckdb.__version__}, polars {pl.__version__}: agree")


main()
