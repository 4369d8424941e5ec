import * as z from "zod";
import { outcomeCounts } from "../domain/batch.ts";
import { StoredFileError } from "../domain/errors.ts";
import { parseRunSummary } from "../domain/parse-run-summary.ts";
import { RUN_STATUSES } from "../domain/run-summary.ts";
import { fileSumsText } from "./file-sums.ts";

/** What a reader needs of a run summary, in a fiftieth of its size: it is what is remembered of it. */
export const runRecord = z.object({
  status: z.enum(RUN_STATUSES),
  /** ISO 8601, UTC. */
  startedAt: z.string(),
  finishedAt: z.string(),
  /** Symbols with an outcome. */
  listed: z.number(),
  /** Bars in the files. */
  rows: z.number(),
  counts: outcomeCounts,
  /** Symbols to fetch again. */
  unfinished: z.array(z.string()),
  /** The files and their hashes, in the form of {@link fileSumsText}. */
  sums: z.string(),
});
export type RunRecord = z.infer<typeof runRecord>;

/**
 * The record of a stored run summary.
 * @throws StoredFileError where it is damaged, names a file of another date, or names one without a hash.
 */
export function readRunRecord(key: string, bytes: Uint8Array): RunRecord {
  const { status, startedAt, finishedAt, symbols, rows, counts, outcomes, batches } = parseRunSummary(key, bytes);
  const unnamed = batches.find((batch) => batch.key !== null && batch.sha256 === null);
  if (unnamed !== undefined) {
    throw new StoredFileError(`${key} names ${unnamed.key} without its SHA-256; run the date again`);
  }
  const unfinished = outcomes.filter(({ outcome }) => outcome === "failed" || outcome === "deferred");
  return {
    status,
    startedAt,
    finishedAt,
    listed: symbols.total,
    rows,
    counts,
    unfinished: unfinished.map(({ symbol }) => symbol),
    sums: fileSumsText(batches),
  };
}
