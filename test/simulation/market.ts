/** A market small enough for thousands of days a minute, with everything in it that makes a day odd. */
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { addDays, sydneyInstant } from "../../domain/trading-date.ts";
import { newerDirectoryFile, olderDirectoryFile } from "../../sandbox/directory-file.ts";
import type { Market, MarketBar } from "../../sandbox/market.ts";
import { hashText, uniform } from "../../sandbox/random.ts";

/** The values of a bar that the provider decides. */
export interface BarTruth extends MarketBar {
  readonly dividend: number | null;
  readonly splitRatio: number | null;
}

/** The trading days of a scenario. */
export interface ScenarioDays {
  /** Ascending: five before the day that is run under faults, that day, and the one after it. */
  readonly sessions: readonly string[];
  /** The last session before the day. */
  readonly before: string;
  /** The session that is run under faults. */
  readonly day: string;
  /** The session after it. */
  readonly next: string;
}

/** A market that knows what is right. */
export interface SimulatedMarket extends Market {
  /** Symbols in the directory of a date. */
  listed(date: string): readonly string[];
  /** The bar that the provider has of a session now; undefined where it has none. */
  bar(symbol: string, date: string): BarTruth | undefined;
  /** Every bar that the provider has had of a session, from its own evening to the last of the scenario. */
  everyView(symbol: string, date: string): readonly BarTruth[];
}

/** Days around everything that makes dates hard: both changes of daylight saving, Easter, Christmas, holidays on Mondays. */
const DAYS = [
  "2024-05-31",
  "2024-04-05",
  "2024-10-04",
  "2024-12-24",
  "2024-03-28",
  "2024-06-11",
  "2024-01-25",
  "2024-08-14",
] as const;
/** How many markets there are. */
export const MARKETS = DAYS.length;

/** Listed all the time; the first five are among the large companies that a session is judged by. */
const STEADY = ["BHP", "CBA", "CSL", "NAB", "WBC", "AB1", "HLT", "THN", "FLT", "DBT"];
/** Leaves the exchange on the last day, and its history the provider. */
const LEAVING = "OLD";
/** Joins the exchange on the last day. */
const JOINING = "NEW";
/** In the directory, unknown to the provider. */
const UNKNOWN = "DBT";

interface Action {
  readonly symbol: string;
  readonly dividend?: number;
  readonly split?: readonly [numerator: number, denominator: number];
  readonly on: (days: ScenarioDays) => string;
}

const ACTIONS: readonly Action[] = [
  { symbol: "BHP", dividend: 0.25, on: ({ day }) => day },
  { symbol: "CBA", split: [2, 1], on: ({ next }) => next },
  { symbol: "AB1", split: [1, 10], on: ({ day }) => day },
  { symbol: "NAB", dividend: 0.5, on: ({ next }) => next },
];

/** When the closing auction is over. */
const CLOSED_AT = "16:12";

/** The days of one of the markets. */
export function scenarioDays(market: number): ScenarioDays {
  const day = DAYS[market % MARKETS] ?? DAYS[0];
  const days = createTradingCalendar().tradingDays(addDays(day, -14), addDays(day, 7));
  const at = days.indexOf(day);
  return {
    sessions: days.slice(at - 5, at + 2),
    before: days[at - 1] ?? day,
    day,
    next: days[at + 1] ?? day,
  };
}

/** @param now milliseconds since 1970. A session exists from its close on; what splits and dividends change, they change then. */
export function createSimulatedMarket(market: number, now: () => number): SimulatedMarket {
  const days = scenarioDays(market);
  const closes = days.sessions.map((date) => sydneyInstant(date, CLOSED_AT));
  const nextBegins = sydneyInstant(days.next, CLOSED_AT);
  const actions = ACTIONS.map((action) => ({ ...action, date: action.on(days) }));
  const seen = (): number => closes.filter((close) => close <= now()).length;
  const lists = [STEADY.concat(LEAVING), STEADY.concat(JOINING)].map((symbols) => {
    const listings = symbols.map((symbol) => ({
      ...{ symbol, name: `${symbol} LIMITED`, industryGroup: "Materials", listingDate: "2003-02-01", marketCap: 1000 },
    }));
    return { symbols, current: newerDirectoryFile(listings), older: olderDirectoryFile(listings, closes[0] ?? 0) };
  });

  /** The bar of a session after so many sessions. */
  function view(symbol: string, date: string, sessionsSeen: number): BarTruth | undefined {
    const index = days.sessions.indexOf(date);
    if (index < 0 || index >= sessionsSeen || !hasBar(symbol, date, index)) return undefined;
    const seed = hashText(market, symbol);
    const part = (use: number): number => uniform(seed, index, use);
    // In cents, so that every price has a short decimal, also after a split.
    const low = 200 + Math.floor(uniform(seed, 99, 0) * 8_000) + Math.floor(part(0) * 20);
    const range = 3 + Math.floor(part(1) * 30);
    const isFlat = symbol === "FLT";
    const within = (use: number): number => (isFlat ? low : low + Math.floor(part(use) * (range + 1)));
    const [open, close, high] = [within(2), within(3), isFlat ? low : low + range];
    const later = actions.filter((action) => action.symbol === symbol && action.date > date && isSeen(action.date));
    const own = actions.find((action) => action.symbol === symbol && action.date === date);
    const ratio = later.reduce((product, { split: [more, less] = [1, 1] }) => (product * more) / less, 1);
    const paid = later.some(({ dividend }) => dividend !== undefined);
    const price = (cents: number): number => Math.round((cents * 10) / ratio) / 1000;
    return {
      ...{ open: price(open), high: price(high), low: price(low), close: price(close) },
      adjustedClose: paid ? Math.round(price(close) * 970) / 1000 : price(close),
      volume: isFlat ? 0 : Math.round((1_000 + Math.floor(part(4) * 90_000) * 10) * ratio),
      dividend: own?.dividend ?? null,
      splitRatio: own?.split === undefined ? null : own.split[0] / own.split[1],
    };

    function isSeen(actionDate: string): boolean {
      return days.sessions.indexOf(actionDate) < sessionsSeen;
    }
  }

  function hasBar(symbol: string, date: string, index: number): boolean {
    if (symbol === JOINING) return date >= days.next;
    if (symbol === LEAVING) return date < days.next;
    if (symbol === "HLT") return date !== days.day;
    return symbol !== "THN" || index % 2 === 0;
  }

  function isKnown(symbol: string): boolean {
    if (symbol === JOINING) return now() >= nextBegins;
    return STEADY.includes(symbol) ? symbol !== UNKNOWN : symbol === LEAVING && now() < nextBegins;
  }

  return {
    listed: (date) => lists[date < days.next ? 0 : 1]?.symbols ?? [],
    bar: (symbol, date) => (isKnown(symbol) ? view(symbol, date, seen()) : undefined),
    everyView: (symbol, date) =>
      symbol === UNKNOWN ? [] : days.sessions.flatMap((_, index) => view(symbol, date, index + 1) ?? []),
    directory: () => {
      const list = lists[now() < nextBegins ? 0 : 1];
      return { current: list?.current ?? new Uint8Array(), older: list?.older ?? new Uint8Array() };
    },
    history(symbol, from, to) {
      if (!isKnown(symbol)) return undefined;
      const sessionsSeen = seen();
      const within = (date: string): boolean => date >= from && date <= to;
      const dates = days.sessions.slice(0, sessionsSeen).filter(within);
      const own = actions.filter((action) => action.symbol === symbol && dates.includes(action.date));
      return {
        sessions: dates.flatMap((date) => {
          const bar = view(symbol, date, sessionsSeen);
          // The provider has a row without prices for a halted symbol, and none for one that is thinly traded.
          return bar === undefined && symbol !== "HLT" ? [] : [{ date, bar: bar ?? null }];
        }),
        dividends: own.flatMap(({ date, dividend }) => (dividend === undefined ? [] : [{ date, amount: dividend }])),
        splits: own.flatMap(({ date, split }) =>
          split === undefined ? [] : [{ date, numerator: split[0], denominator: split[1] }],
        ),
      };
    },
  };
}
