"""Reads a store's compacted files with pyarrow, polars and pandas, and compares them with the batch files merged into them.

    python read_compacted.py STORE_FOLDER
"""

import hashlib
import json
import sys
from pathlib import Path

import pandas
import polars
import pyarrow
import pyarrow.parquet

KEYS = ["symbol", "date"]


def main(store: Path) -> None:
    manifest = json.loads((store / "curated" / "manifest.json").read_text())
    assert manifest["files"], "the manifest names no file"
    rows = sum(check(store, file) for file in manifest["files"])
    print(f"{len(manifest['files'])} compacted files, {rows} bars: pyarrow, polars and pandas read what was merged")


def check(store: Path, file: dict) -> int:
    path = store / file["key"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"], f"{path} is not what the manifest names"

    compacted = pyarrow.parquet.read_table(path)
    merged = pyarrow.concat_tables(batches(store, file), promote_options="permissive").sort_by([(key, "ascending") for key in KEYS])
    assert compacted.num_rows == file["rows"] == merged.num_rows, f"{path} has {compacted.num_rows} bars"
    assert compacted.column_names == merged.column_names, f"{path} has the columns {compacted.column_names}"
    assert compacted.sort_by([(key, "ascending") for key in KEYS]).select(KEYS).equals(compacted.select(KEYS)), f"{path} is not sorted"
    for name in compacted.column_names:
        # Compaction may keep an instant in another unit, and a text in another encoding.
        column = compacted[name].cast(merged[name].type)
        assert column.equals(merged[name]), f"{path}: {name} is not what was merged"

    by_polars = polars.read_parquet(path)
    by_pandas = pandas.read_parquet(path)
    assert by_polars["close"].to_list() == by_pandas["close"].to_list() == merged["close"].to_pylist()
    assert by_polars["date"].to_list() == merged["date"].to_pylist()
    return compacted.num_rows


def batches(store: Path, file: dict) -> list[pyarrow.Table]:
    """The files that the manifest says were merged, a line a file as sha256sum writes it."""
    tables = []
    for day in file["days"].values():
        for line in day["sums"].splitlines():
            named, name = line.split("  ")
            path = store / "raw-data" / name
            assert hashlib.sha256(path.read_bytes()).hexdigest() == named, f"{path} is not what was merged"
            tables.append(pyarrow.parquet.read_table(path))
    return tables


if __name__ == "__main__":
    main(Path(sys.argv[1]))
