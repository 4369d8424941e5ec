import { fileSumsText } from "./file-sums.ts";
import type { StoredBackfill } from "./history-record.ts";

/**
 * What a date's bars come from, as text: a line a raw-data file, and behind them a line a backfill that has bars of the date,
 * in the same form: the hash of its list of files, and the key of its record. The same text is the same bars.
 * @param backfills in order of key.
 */
export function withHistorySums(rawSums: string, backfills: readonly StoredBackfill[]): string {
  return rawSums + backfills.map(({ key, filesSha256 }) => `${filesSha256}  ${key}\n`).join("");
}

/** The same of raw-data files. */
export function sourceSums(
  raw: readonly { readonly key: string | null; readonly sha256: string | null }[],
  backfills: readonly StoredBackfill[],
): string {
  return withHistorySums(fileSumsText(raw), backfills);
}
