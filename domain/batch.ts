/** The messages of the workflow: their shapes, and how symbols become batches. JSON, camelCase. */
import * as z from "zod";
import { InvalidInputError } from "./errors.ts";
import { asxSymbol } from "./symbol.ts";
import { tradingDate } from "./trading-date.ts";

/** What became of one symbol on one date. `failed` and `deferred` can be fetched again; the rest is final for the date. */
export const SYMBOL_OUTCOMES = {
  /** A valid bar is stored. */
  fetched: "fetched",
  /** Known to the provider, no bar for the date. */
  noTrade: "noTrade",
  /** Unknown to the provider. */
  notFound: "notFound",
  /** The provider gave a bar that breaks an invariant; it is kept out. */
  invalid: "invalid",
  /** Transient trouble, attempts used up. */
  failed: "failed",
  /** Not tried. */
  deferred: "deferred",
} as const;

/** An outcome of a symbol. */
export type SymbolOutcome = (typeof SYMBOL_OUTCOMES)[keyof typeof SYMBOL_OUTCOMES];

/** Whether an outcome stands for its date, so that the symbol is not asked for again. */
export function isFinal(outcome: SymbolOutcome): boolean {
  return outcome !== "failed" && outcome !== "deferred";
}

/** A symbol's outcome with, where it is not plain, the reason. */
export const symbolReport = z.object({
  symbol: asxSymbol,
  outcome: z.enum(SYMBOL_OUTCOMES),
  reason: z.string().optional(),
});
export type SymbolReport = z.infer<typeof symbolReport>;

/** How many symbols had each outcome. */
export const outcomeCounts = z.object({
  fetched: z.number().int().nonnegative(),
  noTrade: z.number().int().nonnegative(),
  notFound: z.number().int().nonnegative(),
  invalid: z.number().int().nonnegative(),
  failed: z.number().int().nonnegative(),
  deferred: z.number().int().nonnegative(),
});
export type OutcomeCounts = z.infer<typeof outcomeCounts>;

/** Counts the outcomes of reports. */
export function countOutcomes(reports: Iterable<{ readonly outcome: SymbolOutcome }>): OutcomeCounts {
  const counts: OutcomeCounts = { fetched: 0, noTrade: 0, notFound: 0, invalid: 0, failed: 0, deferred: 0 };
  for (const { outcome } of reports) counts[outcome] += 1;
  return counts;
}

const batchNumber = z.number().int().min(0).max(999_999);

/** One batch: an item of the workflow's Map state. */
export const symbolBatch = z.object({ symbols: z.array(asxSymbol).max(10_000), batchNumber });
export type SymbolBatch = z.infer<typeof symbolBatch>;

/**
 * Splits symbols into batches of at most `batchSize`, numbered from 0, order kept.
 * @throws InvalidInputError for a batch size that is not a whole number above 0.
 */
export function splitIntoBatches(symbols: readonly string[], batchSize: number): SymbolBatch[] {
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new InvalidInputError(`batch size ${batchSize} is not a whole number above 0`);
  }
  const batches: SymbolBatch[] = [];
  for (let start = 0; start < symbols.length; start += batchSize) {
    batches.push({ symbols: symbols.slice(start, start + batchSize), batchNumber: batches.length });
  }
  return batches;
}

/** What was asked of the upstream, and how it went. */
export const upstreamCounters = z.object({
  /** Retries included. */
  requests: z.number().int().nonnegative(),
  retries: z.number().int().nonnegative(),
  /** Answers that told us to ask less (429). */
  rateLimited: z.number().int().nonnegative(),
  /** Times that a row of bad answers made a batch stop asking. */
  breakerOpenings: z.number().int().nonnegative(),
  /**
   * Milliseconds that the next request in line, for which there was a place, waited for the budget or the end of a pause,
   * and that failed ones waited in back-off, each by itself.
   */
  waitedMs: z.number().nonnegative(),
});
export type UpstreamCounters = Readonly<z.infer<typeof upstreamCounters>>;

/** Counters of nothing yet. */
export const NOTHING_ASKED: UpstreamCounters = {
  requests: 0,
  retries: 0,
  rateLimited: 0,
  breakerOpenings: 0,
  waitedMs: 0,
};

/** The counters of several together. */
export function addUpstream(left: UpstreamCounters, right: UpstreamCounters): UpstreamCounters {
  return {
    requests: left.requests + right.requests,
    retries: left.retries + right.retries,
    rateLimited: left.rateLimited + right.rateLimited,
    breakerOpenings: left.breakerOpenings + right.breakerOpenings,
    waitedMs: left.waitedMs + right.waitedMs,
  };
}

/** One execution of the workflow, as it goes from state to state. */
export const workflowRun = z.object({
  /** Of this execution alone; the lock on the date is held in its name. */
  id: z.string().min(1).max(400),
  /** Rounds in which batches were fetched, this one included: what is unfinished after one is fetched again in the next. */
  attempt: z.number().int().positive().default(1),
  /** What its earlier rounds asked of the upstream. */
  upstream: upstreamCounters.default(NOTHING_ASKED),
  /** Batches of a run that catches up, of which the round before could not read some symbols again: all of them are asked. */
  unread: z.array(batchNumber).optional(),
});
export type WorkflowRun = z.infer<typeof workflowRun>;

/** Numbers of batches by the worker that fetches them. */
export const batchLanes = z.array(z.array(batchNumber));

/**
 * Deals batches out to at most `most` lanes, in turn, so that the lanes are of even length. Each lane is fetched by one
 * worker, one batch after the other; lanes without a batch are left out.
 * @param batchNumbers the batches by their numbers.
 */
export function dealIntoLanes(batchNumbers: readonly number[], most: number): number[][] {
  const lanes: number[][] = Array.from({ length: Math.min(most, batchNumbers.length) }, () => []);
  for (const [index, number] of batchNumbers.entries()) lanes[index % lanes.length]?.push(number);
  return lanes;
}

/** Sessions that a run which catches up reads again: the provider corrects and fills its bars for days. */
export const CATCH_UP_SESSIONS = 5;

/** Most calendar days that a run fills: its message names each of their sessions, and a batch reads what is stored of all. */
export const MOST_FILL_DAYS = 90;

/** What starts the symbol updater, and so the workflow. */
export const symbolUpdaterEvent = z.object({
  /** Default: the last finished trading day. */
  date: tradingDate.optional(),
  /** Only these symbols instead of the directory's; nothing is learnt about listings and no list is written. */
  symbols: z.array(asxSymbol).min(1).max(10_000).optional(),
  /** Take a directory even though it is much smaller than the stored one. */
  acceptDirectory: z.boolean().optional(),
  /** Ask every symbol for the last sessions up to the date again: fill what is unfinished, and take over what has changed. */
  catchUp: z.boolean().optional(),
  /** Fill what is not whole of the last so many calendar days up to the date, the date included. */
  fillDays: z.number().int().min(1).max(MOST_FILL_DAYS).optional(),
  /** The execution that asks; the lock on the date is taken in its name. */
  run: workflowRun.optional(),
});
export type SymbolUpdaterEvent = z.infer<typeof symbolUpdaterEvent>;

/** Where the symbols of a run came from. */
export const SYMBOL_SOURCES = {
  /** Downloaded now. */
  directory: "asx-directory",
  /** Both addresses failed: the newest stored list. */
  stored: "stored",
  /** Named in the event. */
  event: "event",
  /** None were needed: the market was closed. */
  none: "none",
} as const;

/** How a run fills sessions that are not whole, besides its own date. */
export const fillPlan = z.object({
  /**
   * Batches of the date's list. Those from this number on hold symbols that the list has no more, and earlier sessions
   * lack: they are asked for there alone.
   */
  listedBatches: z.number().int().nonnegative(),
});
export type FillPlan = z.infer<typeof fillPlan>;

/** Whether a batch holds symbols of the date's own list. */
export function isListedBatch(batchNumber: number | null, fill: FillPlan | null | undefined): boolean {
  return fill == null || batchNumber === null || batchNumber < fill.listedBatches;
}

/** What the symbol updater returns. */
export const symbolUpdate = z.object({
  date: tradingDate,
  tradingDay: z.boolean(),
  /** The trading dates to fetch, ascending, the date last: more than one where the run catches up or fills. */
  sessions: z.array(tradingDate),
  /** The date's list. */
  symbols: z.array(asxSymbol),
  symbolBatches: z.array(symbolBatch),
  /**
   * Numbers of the batches by the worker that fetches them, one after the other. Each worker has a share of the request
   * budget.
   */
  lanes: batchLanes,
  /** Whether the sessions are asked for whatever is stored of them. */
  catchUp: z.boolean(),
  /** Null where the run fills no session. */
  fill: fillPlan.nullable().optional(),
  /** The execution that asked. */
  run: workflowRun.optional(),
  metadata: z.object({
    totalSymbols: z.number().int().nonnegative(),
    numBatches: z.number().int().nonnegative(),
    batchSize: z.number().int().positive(),
    /** Whether the date was the last finished trading day, rather than one from further back. */
    isLatest: z.boolean().default(false),
    s3Key: z.string().nullable(),
    source: z.enum(SYMBOL_SOURCES),
    changes: z.object({
      /** Date of the list compared with; null where none is stored. */
      comparedTo: tradingDate.nullable(),
      added: z.array(asxSymbol),
      removed: z.array(asxSymbol),
    }),
    warnings: z.array(z.string()),
  }),
});
export type SymbolUpdate = z.infer<typeof symbolUpdate>;

/** Most sessions that a batch is given: more than 90 days can have. */
const MOST_SESSIONS = 70;

/** What starts a batch fetcher. */
export const batchEvent = z.object({
  /** Default: the symbols of the newest stored list on or before the date. */
  symbols: z.array(asxSymbol).max(10_000).optional(),
  /** Without one, the bars go into the single file of the date. */
  batchNumber: batchNumber.optional(),
  /** Default: the last finished trading day. */
  date: tradingDate.optional(),
  /**
   * Trading dates to ask for; ascending, the date last. Each symbol is asked for in one request, over those of them that it
   * lacks. Default: the date alone.
   */
  sessions: z.array(tradingDate).min(1).max(MOST_SESSIONS).optional(),
  /**
   * Ask for every symbol over the last five of the sessions, whatever is stored: what is unfinished is filled, what has
   * changed is taken over. Default: only symbols without a final outcome, and stored bars stand.
   */
  catchUp: z.boolean().optional(),
  /** Where the run fills sessions that are not whole: files that are damaged there are written anew. */
  fill: fillPlan.nullable().optional(),
  /** Workers that fetch at the same time, among which the request budget is shared out. Default: 1. */
  lanes: z.number().int().min(1).max(1_000).optional(),
  /** Which of them this is, from 0. Default: 0. */
  lane: z.number().int().nonnegative().optional(),
  /** The execution that the batch belongs to; its lock on the date is renewed. */
  run: workflowRun.optional(),
});
export type BatchEvent = z.infer<typeof batchEvent>;

/** How many unfinished symbols a batch result names: the message stays small even when all of them failed. */
export const UNFINISHED_NAMED = 3;

/** Most earlier sessions that a batch result names: those of all batches together have to stay small. */
export const EARLIER_NAMED = 4;

/** What a batch that catches up did to an earlier session. */
export const earlierSession = z.object({
  date: tradingDate,
  /** Bars that were stored of symbols that had none. */
  added: z.number().int().nonnegative(),
  /** Stored bars that were replaced because the provider had changed them. */
  revised: z.number().int().nonnegative(),
});

/** What makes a batch stop asking. */
export const STOPS = {
  /** The upstream failed one request after the other. */
  breaker: "breaker",
  /** The upstream refused us from the first call on. */
  block: "block",
  /** Symbols that had a bar the session before were unknown in numbers. */
  unknownSymbols: "unknown-symbols",
} as const;

/** What a batch fetcher returns. */
export const batchResult = z.object({
  date: tradingDate,
  /** Null where the call named no batch. */
  batchNumber: batchNumber.nullable(),
  s3Key: z.string(),
  /** Rows of the stored file. */
  rows: z.number().int().nonnegative(),
  /** Size of the stored file. */
  bytes: z.number().int().nonnegative(),
  /** SHA-256 of the stored file in hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  counts: outcomeCounts,
  /** The first few symbols that can be fetched again; `counts` tells how many there are. */
  unfinished: z.array(symbolReport).max(UNFINISHED_NAMED),
  /** Stored bars of the date that were replaced because the provider had changed them. */
  revised: z.number().int().nonnegative().default(0),
  /** Sessions before the date to which something was added; none where they are too many to be named. */
  earlier: z.array(earlierSession).default([]),
  /** All of them together, where they are too many. */
  filled: earlierSession.omit({ date: true }).extend({ sessions: z.number().int().positive() }).optional(),
  /** Symbols that a batch which catches up could not read again, although they have an outcome that stands. */
  unread: z.number().int().nonnegative().default(0),
  upstream: upstreamCounters.default(NOTHING_ASKED),
  /** Why the batch stopped asking before it had asked for every symbol; null where it did not. */
  stopped: z
    .object({ by: z.enum(STOPS), reason: z.string() })
    .nullable()
    .default(null),
  durationMs: z.number().nonnegative(),
});
export type BatchResult = z.infer<typeof batchResult>;

/** What the workflow puts in place of a batch result when a batch fetcher was lost. */
export const lostBatch = z.object({
  batchNumber,
  error: z.object({
    Error: z.string(),
    Cause: z.string().default(""),
  }),
});
export type LostBatch = z.infer<typeof lostBatch>;
