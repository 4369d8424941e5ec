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

/** What starts the symbol updater, and so the workflow. */
export const symbolUpdaterEvent = z.object({
  /** Default: the last finished trading day. */
  date: tradingDate.optional(),
  /** Only these symbols instead of the directory's; nothing is learnt about listings and no list is written. */
  symbols: z.array(asxSymbol).min(1).max(10_000).optional(),
  /** Take a directory even though it is much smaller than the stored one. */
  acceptDirectory: z.boolean().optional(),
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

/** What the symbol updater returns. */
export const symbolUpdate = z.object({
  date: tradingDate,
  tradingDay: z.boolean(),
  symbols: z.array(asxSymbol),
  symbolBatches: z.array(symbolBatch),
  metadata: z.object({
    totalSymbols: z.number().int().nonnegative(),
    numBatches: z.number().int().nonnegative(),
    batchSize: z.number().int().positive(),
    /** Whether the date was the last finished trading day, rather than one from further back. */
    isLatest: z.boolean().default(false),
    /** Batches that run at the same time and share the request budget. */
    concurrentBatches: z.number().int().nonnegative(),
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

/** What starts a batch fetcher. */
export const batchEvent = z.object({
  /** Default: the symbols of the newest stored list on or before the date. */
  symbols: z.array(asxSymbol).max(10_000).optional(),
  /** Without one, the bars go into the single file of the date. */
  batchNumber: batchNumber.optional(),
  /** Default: the last finished trading day. */
  date: tradingDate.optional(),
  /** Batches running at the same time, among which the request budget is shared out. Default: 1. */
  concurrentBatches: z.number().int().positive().optional(),
});
export type BatchEvent = z.infer<typeof batchEvent>;

/** How many unfinished symbols a batch result names: the message stays small even when all of them failed. */
export const UNFINISHED_NAMED = 5;

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
