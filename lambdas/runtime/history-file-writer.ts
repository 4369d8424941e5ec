import type { HistoryReport } from "../../domain/backfill.ts";
import type { Bar } from "../../domain/bar.ts";
import { OUTCOMES_METADATA_KEY, SOURCE_METADATA_KEY } from "../../domain/bar-columns.ts";
import { compareSymbols } from "../../domain/symbol.ts";
import { encodeBars } from "./bars-parquet.ts";

/** What is written of a batch of a backfill. */
export interface HistoryContents {
  /** Of several dates and symbols, in any order; each pair once. */
  readonly bars: readonly Bar[];
  /** Every symbol of the batch that has an outcome that stands. */
  readonly reports: readonly HistoryReport[];
  /** The name of the price source. */
  readonly source: string;
}

/** Rows of a row group: a reader of one symbol passes over the others'. */
const ROW_GROUP_ROWS = 10_000;

/**
 * Encodes a file of a backfill: the bars sorted by symbol and date, in row groups of some symbols each; in the file's
 * metadata the outcome of every symbol, and the file's seal. The same contents give the same bytes.
 */
export function encodeHistoryFile({ bars, reports, source }: HistoryContents): Promise<Uint8Array> {
  const sortedBars = bars.toSorted(
    (left, right) => compareSymbols(left.symbol, right.symbol) || compareSymbols(left.date, right.date),
  );
  const sortedReports = reports.toSorted((left, right) => compareSymbols(left.symbol, right.symbol));
  return encodeBars(sortedBars, {
    metadata: { [OUTCOMES_METADATA_KEY]: JSON.stringify(sortedReports), [SOURCE_METADATA_KEY]: source },
    rowGroupRows: ROW_GROUP_ROWS,
  });
}
