"""Reads a date's batch files with pyarrow, polars and pandas, and compares them with the run summary.

    python read_batches.py STORE_FOLDER DATE
"""

import hashlib
import json
import sys
from pathlib import Path

import pandas
import polars
import pyarrow
import pyarrow.parquet
from bar_columns import COLUMNS


def main(store: Path, date: str) -> None:
    summary = json.loads((store / "runs" / f"{date}.json").read_text())
    paths = [store / batch["key"] for batch in summary["batches"]]
    fetched = [entry["symbol"] for entry in summary["outcomes"] if entry["outcome"] == "fetched"]

    tables = []
    for path, batch in zip(paths, summary["batches"], strict=True):
        table = pyarrow.parquet.read_table(path)
        types = {field.name: field.type for field in table.schema}
        assert types == COLUMNS, f"{path}: {types}"
        assert table.num_rows == batch["rows"], path
        seal = table.schema.metadata[b"asx-eod.file-sha256"]
        unsealed = path.read_bytes().replace(seal, b"0" * 64)
        assert hashlib.sha256(unsealed).hexdigest().encode() == seal, f"{path} is not what was sealed"
        symbols = table.column("symbol").to_pylist()
        assert symbols == sorted(symbols), f"{path} is not sorted by symbol"
        tables.append(table)
    together = pyarrow.concat_tables(tables)
    assert sorted(together.column("symbol").to_pylist()) == sorted(fetched)
    assert {day.isoformat() for day in together.column("date").to_pylist()} == {date}

    by_polars = polars.read_parquet(paths)
    assert by_polars.to_arrow().cast(together.schema).equals(together), "polars reads other values than pyarrow"
    by_pandas = pandas.concat([pandas.read_parquet(path) for path in paths], ignore_index=True)
    for column in ("open", "high", "low", "close", "volume"):
        assert by_pandas[column].tolist() == together.column(column).to_pylist(), column

    print(f"pyarrow, polars and pandas read {together.num_rows} bars from {len(paths)} files, as the run summary says")


main(Path(sys.argv[1]), sys.argv[2])
