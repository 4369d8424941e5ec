"""Reads a store's history files with pyarrow, polars and pandas, and compares them with the backfill's record.

    python read_history.py STORE_FOLDER
"""

import hashlib
import json
import sys
from collections import Counter
from pathlib import Path

import pandas
import polars
import pyarrow
import pyarrow.parquet
from bar_columns import COLUMNS

KEYS = [("symbol", "ascending"), ("date", "ascending")]


def main(store: Path) -> None:
    records = sorted((store / "backfills").glob("*.json"))
    assert records, "the store has no record of a backfill"
    for path in records:
        record = json.loads(path.read_text())
        tables = [check(store, batch) for batch in record["batches"]]
        bars = pyarrow.concat_tables(tables)
        days = Counter(date.isoformat() for date in bars["date"].to_pylist())
        assert dict(days) == record["days"], f"{path} counts other bars by date than its files hold"
        symbols = Counter(bars["symbol"].to_pylist())
        stored = {outcome["symbol"]: outcome["bars"] for outcome in record["outcomes"] if outcome["bars"] > 0}
        assert dict(symbols) == stored, f"{path} counts other bars by symbol than its files hold"
        print(f"{len(tables)} files of a backfill, {bars.num_rows} bars: pyarrow, polars and pandas read what its record says")


def check(store: Path, batch: dict) -> pyarrow.Table:
    path = store / batch["key"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == batch["sha256"], f"{path} is not what the record names"
    table = pyarrow.parquet.read_table(path)
    assert dict(zip(table.schema.names, table.schema.types)) == COLUMNS, f"{path} has the columns {table.schema}"
    assert table.num_rows == batch["rows"], f"{path} has {table.num_rows} bars"
    assert table.sort_by(KEYS).select(["symbol", "date"]).equals(table.select(["symbol", "date"])), f"{path} is not sorted"
    by_polars = polars.read_parquet(path)
    by_pandas = pandas.read_parquet(path)
    assert by_polars["close"].to_list() == by_pandas["close"].to_list() == table["close"].to_pylist()
    assert by_polars["date"].to_list() == table["date"].to_pylist()
    return table


if __name__ == "__main__":
    main(Path(sys.argv[1]))
