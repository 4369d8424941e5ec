"""The columns of every file of bars, with their types."""

import pyarrow

COLUMNS = {
    "symbol": pyarrow.string(),
    "date": pyarrow.date32(),
    "open": pyarrow.float64(),
    "high": pyarrow.float64(),
    "low": pyarrow.float64(),
    "close": pyarrow.float64(),
    "adjusted_close": pyarrow.float64(),
    "volume": pyarrow.int64(),
    "dividend": pyarrow.float64(),
    "split_ratio": pyarrow.float64(),
    "fetch_timestamp": pyarrow.timestamp("ms", tz="UTC"),
    "batch_number": pyarrow.int32(),
}
