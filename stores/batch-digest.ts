import { BAR_COLUMNS } from "../domain/bar-columns.ts";
import type { BatchContents } from "./batch-file-reader.ts";
import { sha256 } from "./sha256.ts";

/**
 * SHA-256 of what a batch file says, in hexadecimal: every value of every bar, every outcome and the
 * source. It lies in the file itself, so that a flipped bit that reads back as another value is found
 * where no run summary vouches for the file.
 */
export function batchDigest({ bars, reports, source }: BatchContents): string {
  const rows = bars.map((bar) => BAR_COLUMNS.map(({ field }) => bar[field]));
  const outcomes = reports.map(({ symbol, outcome, reason }) => [symbol, outcome, reason ?? null]);
  return sha256(new TextEncoder().encode(JSON.stringify([rows, outcomes, source ?? null])));
}
