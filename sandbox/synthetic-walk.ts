import type { MarketBar } from "./market.ts";
import { nearlyNormal, uniform } from "./random.ts";
import type { SyntheticListing } from "./synthetic-listings.ts";

/** The prices of a company as they traded, before any adjustment, by the index of the session. */
export interface PriceWalk {
  /** Index of its first session. */
  readonly firstIndex: number;
  /** Close of a session, not rounded. */
  price(index: number): number;
  /** The close before a session in that session's terms: after its split and dividend. */
  previousPrice(index: number): number;
  /** What happened on a session's date, by its index. */
  readonly actions: ReadonlyMap<number, WalkAction>;
}

/** A corporate action on its ex-date. */
export interface WalkAction {
  /** AUD a share before the split; 0 for none. */
  readonly dividend: number;
  /** New shares for one old; 1 for none. */
  readonly splitRatio: number;
}

/** Sessions between two dividends of a payer: half a year. */
const DIVIDEND_SESSIONS = 126;
/** Above the one price, in AUD, a company splits five to one; below the other it consolidates, one for twenty. */
const SPLIT_ABOVE = 250;
const CONSOLIDATE_BELOW = 0.004;
/** One halt in so many sessions, of at most so many. */
const HALT_EVERY = 400;
const LONGEST_HALT = 8;
/** A day's mean logarithmic return: without it a walk of logarithms sinks. */
const DRIFT = 0.0002;
/** The uses of chance of one session. */
const CHANCE = { close: 0, open: 2, volume: 4, idle: 6, high: 7, low: 8, haltBegin: 9, haltLength: 10 } as const;

/** Walks a company through the sessions of its life. */
export function walkPrices(listing: SyntheticListing, dates: readonly string[]): PriceWalk {
  const { seed, listedFrom, dailyVolatility, dividendYield } = listing;
  const found = dates.findIndex((date) => date >= listedFrom);
  const firstIndex = found === -1 ? dates.length : found;
  const prices = new Float64Array(dates.length - firstIndex);
  const actions = new Map<number, WalkAction>();
  const dividendPhase = seed % DIVIDEND_SESSIONS;
  let price = listing.firstPrice;
  for (let index = firstIndex; index < dates.length; index += 1) {
    const paysDividend = dividendYield > 0 && index > firstIndex && index % DIVIDEND_SESSIONS === dividendPhase;
    if (paysDividend || price > SPLIT_ABOVE || price < CONSOLIDATE_BELOW) {
      const dividend = paysDividend ? Math.round(price * (dividendYield / 2) * 1e4) / 1e4 : 0;
      const splitRatio = price > SPLIT_ABOVE ? 5 : price < CONSOLIDATE_BELOW ? 1 / 20 : 1;
      actions.set(index, { dividend, splitRatio });
      price = (price - dividend) / splitRatio;
    }
    price *= Math.exp(DRIFT + dailyVolatility * nearlyNormal(seed, index, CHANCE.close));
    prices[index - firstIndex] = price;
  }
  const priceAt = (index: number): number => prices[index - firstIndex] ?? listing.firstPrice;
  return {
    firstIndex,
    actions,
    price: priceAt,
    previousPrice(index) {
      const { dividend, splitRatio } = actions.get(index) ?? { dividend: 0, splitRatio: 1 };
      return (priceAt(index - 1) - dividend) / splitRatio;
    },
  };
}

/** What traded on a day: nothing (null), nothing but a halted price (volume 0), or an ordinary session. */
export function tradedBar(
  listing: SyntheticListing,
  index: number,
  previous: number,
  price: number,
): Omit<MarketBar, "adjustedClose"> | null {
  const { seed, idleShare, dailyVolatility, ordinaryVolume } = listing;
  if (isHalted(seed, index)) {
    const flat = toTick(previous);
    return { open: flat, high: flat, low: flat, close: flat, volume: 0 };
  }
  if (uniform(seed, index, CHANCE.idle) < idleShare) return null;
  const close = toTick(price);
  const open = toTick(previous * Math.exp(dailyVolatility * 0.3 * nearlyNormal(seed, index, CHANCE.open)));
  const reach = dailyVolatility * 0.5;
  const highest = Math.max(open, close);
  const lowest = Math.min(open, close);
  const high = Math.max(toTick(highest * (1 + reach * uniform(seed, index, CHANCE.high))), highest);
  const low = Math.min(toTick(lowest * (1 - reach * uniform(seed, index, CHANCE.low))), lowest);
  const volume = 1 + Math.round(ordinaryVolume * Math.exp(nearlyNormal(seed, index, CHANCE.volume)));
  return { open, high, low, close, volume };
}

function isHalted(seed: number, index: number): boolean {
  const period = Math.floor(index / HALT_EVERY);
  const begin = period * HALT_EVERY + Math.floor(uniform(seed, period, CHANCE.haltBegin) * (HALT_EVERY - LONGEST_HALT));
  const length = Math.floor(uniform(seed, period, CHANCE.haltLength) * LONGEST_HALT);
  return index >= begin && index < begin + length;
}

/** The price rounded to the exchange's tick: 0.1 cent below 10 cents, half a cent below 2 dollars, else a cent. */
function toTick(price: number): number {
  const ticksPerDollar = price < 0.1 ? 1000 : price < 2 ? 200 : 100;
  return Math.max(Math.round(price * ticksPerDollar), 1) / ticksPerDollar;
}
