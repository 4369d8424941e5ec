import type { BarRow } from "../../aggregator/bars.ts";
import type { Bar } from "../../domain/bar.ts";

/** A bar as the library gives it as a row. */
export function rowOfBar(bar: Bar): BarRow {
  const { symbol, date, open, high, low, close, volume } = bar;
  return {
    symbol,
    date,
    open,
    high,
    low,
    close,
    adjusted_close: bar.adjustedClose,
    volume,
    dividend: bar.dividend,
    split_ratio: bar.splitRatio,
    fetch_timestamp: new Date(bar.fetchTimestamp),
    batch_number: bar.batchNumber,
  };
}
