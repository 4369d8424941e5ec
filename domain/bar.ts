/**
 * One symbol's prices and volume of one session.
 *
 * Prices are AUD as the provider gives them: adjusted for later splits, not for dividends.
 */
export interface Bar {
  /** ASX code without suffix. */
  readonly symbol: string;
  /** Trading date in Sydney, `YYYY-MM-DD`. */
  readonly date: string;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  /** Close in AUD adjusted for splits and dividends as known when it was fetched; null where the provider gave none. */
  readonly adjustedClose: number | null;
  /** Shares traded; 0 where nothing traded. */
  readonly volume: number;
  /** AUD a share on its ex-date, else null. */
  readonly dividend: number | null;
  /** New shares for one old on its ex-date, else null. */
  readonly splitRatio: number | null;
  /** When the provider answered, in milliseconds since 1970 UTC. */
  readonly fetchTimestamp: number;
  /** The batch the bar came in; null where it came by a direct call. */
  readonly batchNumber: number | null;
}

/** How far open and close may lie outside low and high, relative to the price, before a bar is invalid. */
const RELATIVE_TOLERANCE = 1e-6;

const PRICE_FIELDS = ["open", "high", "low", "close"] as const;

/** The values of a bar that the provider decides, before they are trusted. */
export type UncheckedBar = { readonly [Field in keyof Bar]: Field extends "symbol" | "date" ? string : unknown };

/** A bar that holds, or the reason why it does not. */
export type BarCheck = { readonly valid: true; readonly bar: Bar } | { readonly valid: false; readonly reason: string };

/**
 * Checks the invariants of a bar: prices finite and above 0, `low <= open, close <= high` within a
 * relative 1e-6, volume a non-negative integer, an adjusted close, dividend or split ratio above 0 where given.
 * @returns the bar, or a reason that quotes the offending values.
 */
export function checkBar(unchecked: UncheckedBar): BarCheck {
  const { symbol, date, open, high, low, close, adjustedClose, volume, dividend, splitRatio } = unchecked;
  for (const field of PRICE_FIELDS) {
    if (!isPrice(unchecked[field])) return invalid(`${field} is ${show(unchecked[field])}, not a price above 0`);
  }
  if (!isPrice(open) || !isPrice(high) || !isPrice(low) || !isPrice(close)) return invalid("a price is missing");
  if (low > high * (1 + RELATIVE_TOLERANCE)) return invalid(`low ${low} is above high ${high}`);
  for (const [field, price] of Object.entries({ open, close })) {
    if (price > high * (1 + RELATIVE_TOLERANCE)) return invalid(`${field} ${price} is above high ${high}`);
    if (price < low * (1 - RELATIVE_TOLERANCE)) return invalid(`${field} ${price} is below low ${low}`);
  }
  if (!isCount(volume)) return invalid(`volume is ${show(volume)}, not a whole number of shares`);
  if (!isPriceOrNull(adjustedClose)) return invalid(`adjusted close is ${show(adjustedClose)}, not a price above 0`);
  if (!isPriceOrNull(dividend)) return invalid(`dividend is ${show(dividend)}, not an amount above 0`);
  if (!isPriceOrNull(splitRatio)) return invalid(`split ratio is ${show(splitRatio)}, not a ratio above 0`);
  const { fetchTimestamp, batchNumber } = unchecked;
  if (!isCount(fetchTimestamp))
    return invalid(`fetch timestamp is ${show(fetchTimestamp)}, not milliseconds since 1970`);
  if (batchNumber !== null && !isCount(batchNumber)) return invalid(`batch number is ${show(batchNumber)}`);
  return {
    valid: true,
    bar: {
      symbol,
      date,
      open,
      high,
      low,
      close,
      adjustedClose,
      volume,
      dividend,
      splitRatio,
      fetchTimestamp,
      batchNumber,
    },
  };
}

function invalid(reason: string): BarCheck {
  return { valid: false, reason };
}

function isPrice(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

function isPriceOrNull(value: unknown): value is number | null {
  return value === null || isPrice(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function show(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}
