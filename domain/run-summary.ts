import * as z from "zod";
import {
  batchLanes,
  batchResult,
  fillPlan,
  lostBatch,
  NOTHING_ASKED,
  type OutcomeCounts,
  outcomeCounts,
  symbolBatch,
  symbolReport,
  symbolUpdate,
  upstreamCounters,
  workflowRun,
} from "./batch.ts";
import { asxSymbol } from "./symbol.ts";
import { tradingDate } from "./trading-date.ts";

/** How a date stands. */
export const RUN_STATUSES = {
  /** Nothing failed or was deferred. */
  complete: "complete",
  /** Some symbols failed or were deferred. */
  partial: "partial",
  /** No bar at all, or the day as a whole cannot be right. */
  failed: "failed",
  /** No session on the date. */
  marketClosed: "market-closed",
} as const;
export type RunStatus = (typeof RUN_STATUSES)[keyof typeof RUN_STATUSES];

/** The status that a trading day's counts, and what was found of the whole day, amount to. */
export function runStatus(counts: OutcomeCounts, findings: readonly DayFinding[]): RunStatus {
  if (counts.fetched === 0 || findings.some(({ stops }) => stops)) return RUN_STATUSES.failed;
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

/** What a check of the whole day found, beyond the outcomes of its symbols. */
export const dayFinding = z.object({
  /** The check's name. */
  gate: z.string(),
  /** Whether the day cannot be taken for a right one. */
  stops: z.boolean(),
  /** What was found, with its numbers, and what to do. */
  detail: z.string(),
});
export type DayFinding = z.infer<typeof dayFinding>;

/** A stored bar that is valid and yet unlikely. */
export const suspectBar = z.object({ symbol: asxSymbol, kind: z.string(), detail: z.string() });

/** How trustworthy a day is. */
export const dayQuality = z.object({
  /** Symbols with a volume above 0. */
  traded: z.number().int().nonnegative(),
  /** The median of that over the last 20 sessions that are whole; null where fewer than five are stored. */
  usual: z.number().nonnegative().nullable().default(null),
  findings: z.array(dayFinding),
  suspects: z.array(suspectBar),
});
export type DayQuality = z.infer<typeof dayQuality>;

/** `runs/DATE.json`: the state of a date after its last run, and its manifest. Instants are ISO 8601 in UTC. */
export const runSummary = z.object({
  version: z.literal(1),
  date: tradingDate,
  status: z.enum(RUN_STATUSES),
  /** When the execution that wrote this started. */
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  /** Rounds of fetching in the last run. */
  attempts: z.number().int().positive().default(1),
  /** What the last run asked of the upstream, all rounds together. */
  upstream: upstreamCounters.default(NOTHING_ASKED),
  symbols: symbolUpdate.shape.metadata.pick({ s3Key: true, source: true, changes: true, warnings: true }).extend({
    /** Symbols with an outcome: the listed ones, and any that were asked for besides. */
    total: z.number().int().nonnegative(),
  }),
  counts: outcomeCounts,
  /** Bars in the stored files. */
  rows: z.number().int().nonnegative(),
  /** Times that a stored bar of the date was replaced because the provider had changed it: `revisions/` has old and new. */
  revised: z.number().int().nonnegative().default(0),
  /** Symbols that the last run could not read again, where it caught up. */
  unread: z.number().int().nonnegative().default(0),
  /** Absent in summaries that were written before there was such a check, and where the market was closed. */
  quality: dayQuality.optional(),
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
  sessions: z.array(tradingDate),
  catchUp: z.boolean().default(false),
  fill: fillPlan.nullable().optional(),
  run: workflowRun.optional(),
  symbolBatches: z.array(symbolBatch),
  metadata: symbolUpdate.shape.metadata,
  /** What the batches of this round gave, lane by lane. */
  results: z.array(z.array(z.union([batchResult, lostBatch]))),
});
export type RunSummaryEvent = z.infer<typeof runSummaryEvent>;

/** What is to be fetched again before the run ends. */
export const redrive = z.object({
  /** The run as it goes into the next round. */
  run: workflowRun,
  /** Time to let the upstream recover. */
  waitSeconds: z.number().int().nonnegative(),
  /** The batches that have unfinished symbols, by worker. */
  lanes: batchLanes,
});
export type Redrive = z.infer<typeof redrive>;

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
  /** Sessions before the date that the run asked for too. `status` is the worst of all. */
  earlier: z.array(z.object({ date: tradingDate, status: z.enum(RUN_STATUSES) })).default([]),
  /** Null where nothing is unfinished, or nothing is to be hoped from asking again soon. */
  redrive: redrive.nullable().default(null),
  /** One line for a notification. */
  message: z.string(),
});
export type RunDigest = z.infer<typeof runDigest>;
