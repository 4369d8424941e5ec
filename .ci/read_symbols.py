"""Reads a symbols CSV of names that are formulas with pandas and with Python's csv, and compares every cell.

    python read_symbols.py FOLDER
"""

import csv
import json
import sys
from pathlib import Path

import pandas


def main(folder: Path) -> None:
    rows = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    path = folder / "symbols.csv"
    for engine in ("c", "python"):
        frame = pandas.read_csv(path, dtype=str, keep_default_na=False, engine=engine)
        assert frame.to_dict("records") == rows, f"pandas ({engine}) reads {frame.to_dict('records')}"
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == rows, "Python's csv reads other cells"
    print(f"pandas and Python's csv read {len(rows)} names, formulas marked as text, as they were written")


main(Path(sys.argv[1]))
