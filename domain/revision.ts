/** Records of stored bars that the provider changed or withdrew afterwards. */
import * as z from "zod";
import type { Bar } from "./bar.ts";
import { messageOf, StoredFileError } from "./errors.ts";
import { asxSymbol } from "./symbol.ts";
import { tradingDate } from "./trading-date.ts";

/** The values of a bar that the provider decides; prices in AUD, as in {@link Bar}. */
const barValues = z.object({
  open: z.number(),
  high: z.number(),
  low: z.number(),
  close: z.number(),
  adjustedClose: z.number().nullable(),
  volume: z.number().int().nonnegative(),
  dividend: z.number().nullable(),
  splitRatio: z.number().nullable(),
});
type BarValues = z.infer<typeof barValues>;

/** One change of a stored bar. Instants are ISO 8601 in UTC. */
export const revision = z.object({
  symbol: asxSymbol,
  /** When the provider gave the new values, or none. */
  revisedAt: z.iso.datetime(),
  /** When it had given the old ones. */
  fetchedAt: z.iso.datetime(),
  before: barValues,
  /** Null where the provider has no bar for the date any more, and the stored one was doubted. */
  after: barValues.nullable(),
});
export type Revision = z.infer<typeof revision>;

/** `revisions/DATE-batch-N.json`: every change of the bars in that batch file, oldest first. */
export const revisionsFile = z.object({ version: z.literal(1), date: tradingDate, revisions: z.array(revision) });

/** Adjusted closes of the same dividends come out of the provider's arithmetic with noise below this, relative to the price. */
const ADJUSTED_CLOSE_NOISE = 1e-6;

/** The record of a bar whose values another has replaced; undefined where they are the same. */
export function reviseBar(before: Bar, after: Bar): Revision | undefined {
  if (isSame(before, after)) return undefined;
  return {
    symbol: before.symbol,
    revisedAt: new Date(after.fetchTimestamp).toISOString(),
    fetchedAt: new Date(before.fetchTimestamp).toISOString(),
    before: valuesOf(before),
    after: valuesOf(after),
  };
}

/** The record of a bar that is withdrawn. */
export function withdrawBar(before: Bar, revisedAt: number): Revision {
  return {
    symbol: before.symbol,
    revisedAt: new Date(revisedAt).toISOString(),
    fetchedAt: new Date(before.fetchTimestamp).toISOString(),
    before: valuesOf(before),
    after: null,
  };
}

function isSame(before: Bar, after: Bar): boolean {
  const { adjustedClose: adjustedBefore, ...old } = valuesOf(before);
  const { adjustedClose: adjustedAfter, ...now } = valuesOf(after);
  const isAdjustedSame =
    adjustedBefore === null || adjustedAfter === null
      ? adjustedBefore === adjustedAfter
      : Math.abs(adjustedAfter - adjustedBefore) <= ADJUSTED_CLOSE_NOISE * adjustedBefore;
  return isAdjustedSame && JSON.stringify(old) === JSON.stringify(now);
}

function valuesOf({ open, high, low, close, adjustedClose, volume, dividend, splitRatio }: Bar): BarValues {
  return { open, high, low, close, adjustedClose, volume, dividend, splitRatio };
}

/**
 * The changes in a stored record.
 * @throws StoredFileError that names the key and what is wrong.
 */
export function parseRevisions(key: string, bytes: Uint8Array): Revision[] {
  try {
    return revisionsFile.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes))).revisions;
  } catch (cause) {
    throw new StoredFileError(
      `${key} is damaged or no record of revisions: ${messageOf(cause)}; restore an earlier version of it, or move it away`,
      { cause },
    );
  }
}
