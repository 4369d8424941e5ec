import type { Listing } from "../domain/listing.ts";
import { createTradingCalendar } from "../domain/trading-calendar.ts";
import { addDays, dateInSydney, sydneyInstant } from "../domain/trading-date.ts";
import { newerDirectoryFile, olderDirectoryFile } from "./directory-file.ts";
import type { Market, MarketBar, MarketDividend, MarketHistory, MarketSession, MarketSplit } from "./market.ts";
import { createSyntheticListings, SYNTHETIC_MARKET_START, type SyntheticListing } from "./synthetic-listings.ts";
import { tradedBar, walkPrices } from "./synthetic-walk.ts";

/** What makes a synthetic market. */
export interface SyntheticOptions {
  /** The same seed gives the same market. */
  readonly seed: number;
  /**
   * Now, in milliseconds since 1970. Sessions that have not closed by then do not exist yet, and a
   * split adjusts the prices before it only once it has happened.
   */
  readonly now: () => number;
}

/** When the closing auction is over. */
const CLOSED_AT = "16:12";

/**
 * A made-up market: some 2,000 companies with random walks, splits, consolidations, dividends, halts,
 * days without trade, new listings and delistings. Any day of it can be had at any time; the same seed
 * gives the same days.
 */
export function createSyntheticMarket({ seed, now }: SyntheticOptions): Market {
  const listings = new Map(createSyntheticListings(seed).map((listing) => [listing.symbol, listing]));
  const calendar = createTradingCalendar();
  const sessionDates: string[] = [];

  /** All session dates up to the last that has closed, extended as time goes on. */
  function closedSessions(): readonly string[] {
    const today = dateInSydney(now());
    const lastClosed = now() >= sydneyInstant(today, CLOSED_AT) ? today : addDays(today, -1);
    const known = sessionDates.at(-1);
    if (known === undefined || known < lastClosed) {
      const from = known === undefined ? SYNTHETIC_MARKET_START : addDays(known, 1);
      sessionDates.push(...calendar.tradingDays(from, lastClosed));
    }
    return sessionDates;
  }

  function isListed({ listedFrom, delistedFrom }: SyntheticListing, date: string): boolean {
    return listedFrom <= date && (delistedFrom === null || date < delistedFrom);
  }

  return {
    directory() {
      const today = dateInSydney(now());
      const current = [...listings.values()].filter((listing) => isListed(listing, today)).map(directoryEntry);
      return { current: newerDirectoryFile(current), older: olderDirectoryFile(current, now()) };
    },
    history(symbol, from, to) {
      const listing = listings.get(symbol);
      const dates = closedSessions();
      // Like the provider, the market forgets the whole history of a company that is gone.
      if (listing === undefined || !listing.isQuoted || !isListed(listing, dates.at(-1) ?? "")) return undefined;
      return shownHistory(listing, dates, from, to);
    },
  };
}

function directoryEntry({
  symbol,
  name,
  industryGroup,
  listedFrom,
  firstPrice,
  ordinaryVolume,
}: SyntheticListing): Listing {
  const marketCap = Math.round(firstPrice * ordinaryVolume * 400);
  return { symbol, name, industryGroup, listingDate: listedFrom, marketCap };
}

/** The days from one date to another as a provider shows them after all the days there are. */
function shownHistory(listing: SyntheticListing, dates: readonly string[], from: string, to: string): MarketHistory {
  const walk = walkPrices(listing, dates);
  const sessions: MarketSession[] = [];
  const dividends: MarketDividend[] = [];
  const splits: MarketSplit[] = [];
  let laterSplits = 1;
  let laterDividends = 1;
  for (let index = dates.length - 1; index >= walk.firstIndex; index -= 1) {
    const date = dates[index];
    if (date === undefined || date < from) break;
    const action = walk.actions.get(index);
    if (date <= to) {
      const bar = tradedBar(listing, index, walk.previousPrice(index), walk.price(index));
      sessions.push({ date, bar: bar === null ? null : adjustBar(bar, laterSplits, laterDividends) });
      if (action !== undefined && action.dividend > 0) dividends.push({ date, amount: action.dividend / laterSplits });
      if (action !== undefined && action.splitRatio !== 1) splits.push({ date, ...asFraction(action.splitRatio) });
    }
    if (action !== undefined) {
      if (action.dividend > 0) laterDividends *= 1 - action.dividend / walk.price(index - 1);
      laterSplits *= action.splitRatio;
    }
  }
  return { sessions: sessions.reverse(), dividends: dividends.reverse(), splits: splits.reverse() };
}

function adjustBar(bar: Omit<MarketBar, "adjustedClose">, laterSplits: number, laterDividends: number): MarketBar {
  return {
    open: bar.open / laterSplits,
    high: bar.high / laterSplits,
    low: bar.low / laterSplits,
    close: bar.close / laterSplits,
    adjustedClose: (bar.close / laterSplits) * laterDividends,
    volume: Math.round(bar.volume * laterSplits),
  };
}

function asFraction(ratio: number): { numerator: number; denominator: number } {
  return { numerator: Math.max(1, Math.round(ratio)), denominator: Math.max(1, Math.round(1 / ratio)) };
}
