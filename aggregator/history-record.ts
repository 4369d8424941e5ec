import * as z from "zod";
import { BACKFILL_STATUSES } from "../domain/backfill.ts";
import { isFinal, outcomeCounts } from "../domain/batch.ts";
import { StoredFileError } from "../domain/errors.ts";
import { parseBackfillRecord } from "../domain/parse-backfill-record.ts";
import { sha256 } from "../stores/sha256.ts";

/** A file that a backfill's record names. */
export const historyFile = z.object({ key: z.string(), sha256: z.string(), rows: z.number() });
export type HistoryFile = z.infer<typeof historyFile>;

/** What a reader needs of the record of a backfill, in a fifth of its size: it is what is remembered of it. */
export const storedBackfill = z.object({
  /** Of the record. */
  key: z.string(),
  /** First and last date that were asked for, `YYYY-MM-DD`, inclusive. */
  from: z.string(),
  to: z.string(),
  status: z.enum(BACKFILL_STATUSES),
  /** Whether the market was asked for, and not only symbols named by hand: it says something of a day as a whole then. */
  isFull: z.boolean(),
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
  /** Symbols whose outcome stands. */
  finals: z.array(z.string()),
  /** Bars by date, oldest first; every date that has one. */
  days: z.record(z.string(), z.number()),
  /** In order of their numbers. No symbol stands in two of them. */
  files: z.array(historyFile),
  /** The hash of the list of files: another list holds other bars. */
  filesSha256: z.string(),
});
export type StoredBackfill = z.infer<typeof storedBackfill>;

/**
 * What counts of a stored record.
 * @throws StoredFileError where it is damaged, names a file twice, or its bars by date are not those of its files.
 */
export function readStoredBackfill(key: string, bytes: Uint8Array): StoredBackfill {
  const record = parseBackfillRecord(key, bytes);
  const batches = record.batches.toSorted((left, right) => left.batchNumber - right.batchNumber);
  const files = batches.map(({ key: file, sha256: hash, rows }): HistoryFile => ({ key: file, sha256: hash, rows }));
  const days = Object.entries(record.days)
    .filter(([, rows]) => rows > 0)
    .sort(([left], [right]) => (left < right ? -1 : 1));
  const [inFiles, byDate] = [files.map(({ rows }) => rows), days.map(([, rows]) => rows)].map(sum);
  if (inFiles !== byDate || new Set(files.map((file) => file.key)).size < files.length) {
    const what = inFiles === byDate ? "names a file twice" : `names files of ${inFiles} bars and dates of ${byDate}`;
    throw new StoredFileError(
      `${key} is damaged: it ${what}; delete it and run the backfill again: what is stored is not fetched again`,
    );
  }
  const { from, to, status, startedAt, finishedAt, symbols, rows, counts, outcomes } = record;
  const symbolsWhere = (isWanted: (outcome: (typeof outcomes)[number]) => boolean): string[] =>
    outcomes.filter(isWanted).map(({ symbol }) => symbol);
  return {
    ...{ key, from, to, status, startedAt, finishedAt, rows, counts, files },
    isFull: symbols.source !== "event",
    listed: symbols.total,
    unfinished: symbolsWhere(({ outcome }) => !isFinal(outcome)),
    finals: symbolsWhere(({ outcome }) => isFinal(outcome)),
    days: Object.fromEntries(days),
    filesSha256: sha256(new TextEncoder().encode(files.map((file) => `${file.sha256}  ${file.key}\n`).join(""))),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
