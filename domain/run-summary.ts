import * as z from "zod";
import {
  batchResult,
  lostBatch,
  type OutcomeCounts,
  outcomeCounts,
  symbolBatch,
  symbolReport,
  symbolUpdate,
} from "./batch.ts";
import { tradingDate } from "./trading-date.ts";

/** How a date stands. */
export const RUN_STATUSES = {
  /** Nothing failed or was deferred. */
  complete: "complete",
  /** Some symbols failed or were deferred. */
  partial: "partial",
  /** No bar at all. */
  failed: "failed",
  /** No session on the date. */
  marketClosed: "market-closed",
} as const;
export type RunStatus = (typeof RUN_STATUSES)[keyof typeof RUN_STATUSES];

/** The status that a trading day's counts amount to. */
export function runStatus(counts: OutcomeCounts): RunStatus {
  if (counts.fetched === 0) return RUN_STATUSES.failed;
  return counts.failed + counts.deferred > 0 ? RUN_STATUSES.partial : RUN_STATUSES.complete;
}

/** A stored Parquet file of the date, and how the last run of its batch went. */
export const batchEntry = z.object({
  /** Null for the older form with all symbols in one file. */
  batchNumber: z.number().int().nonnegative().nullable(),
  /** Null where the batch was lost before it stored anything. */
  key: z.string().nullable(),
  rows: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
  sha256: z.string().nullable(),
  /** Null where the file is of an earlier run that this one did not touch, or the batch was lost. */
  durationMs: z.number().nonnegative().nullable(),
  /** Why the batch was lost in the last run, where it was. */
  error: z.string().optional(),
});
export type BatchEntry = z.infer<typeof batchEntry>;

/** `runs/DATE.json`: the state of a date after its last run, and its manifest. Instants are ISO 8601 in UTC. */
export const runSummary = z.object({
  version: z.literal(1),
  date: tradingDate,
  status: z.enum(RUN_STATUSES),
  /** When the execution that wrote this started. */
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  symbols: symbolUpdate.shape.metadata.pick({ s3Key: true, source: true, changes: true, warnings: true }).extend({
    /** Symbols with an outcome: the listed ones, and any that were asked for besides. */
    total: z.number().int().nonnegative(),
  }),
  counts: outcomeCounts,
  /** Bars in the stored files. */
  rows: z.number().int().nonnegative(),
  batches: z.array(batchEntry),
  /** One entry a symbol, in order of symbol. */
  outcomes: z.array(symbolReport),
});
export type RunSummary = z.infer<typeof runSummary>;

/** What starts the run summary: the updater's message (without its list of symbols) and what the Map gave. */
export const runSummaryEvent = z.object({
  date: tradingDate,
  tradingDay: z.boolean(),
  /** When the execution started. AWS gives it in UTC with a Z; emulators are seen to give an offset. */
  startedAt: z.iso.datetime({ offset: true }).transform((instant) => new Date(instant).toISOString()),
  symbolBatches: z.array(symbolBatch),
  metadata: symbolUpdate.shape.metadata,
  results: z.array(z.union([batchResult, lostBatch])),
});
export type RunSummaryEvent = z.infer<typeof runSummaryEvent>;

/** What the run summary returns to the workflow: enough to decide and to notify. */
export const runDigest = z.object({
  date: tradingDate,
  status: z.enum(RUN_STATUSES),
  /** Address of the store that holds the run summary: `s3://BUCKET[/FOLDER]` or `file:FOLDER`. */
  storeUrl: z.string(),
  s3Key: z.string(),
  totalSymbols: z.number().int().nonnegative(),
  rows: z.number().int().nonnegative(),
  counts: outcomeCounts,
  /** One line for a notification. */
  message: z.string(),
});
export type RunDigest = z.infer<typeof runDigest>;
