import { beforeAll, describe, expect, it } from "vitest";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { parseDirectory } from "../../lambdas/symbol-updater/asx-directory.ts";
import type { Market, MarketBar, MarketHistory } from "../../sandbox/market.ts";
import { createSyntheticMarket } from "../../sandbox/synthetic-market.ts";

const NOW = Date.parse("2024-05-31T19:30:00+10:00");
const marketAt = (instant: string, seed = 1): Market => createSyntheticMarket({ seed, now: () => Date.parse(instant) });

/** The whole history of every tenth listed symbol. */
let histories: ReadonlyMap<string, MarketHistory>;
let market: Market;

beforeAll(() => {
  market = createSyntheticMarket({ seed: 1, now: () => NOW });
  const { listings } = parseDirectory(market.directory().current);
  histories = new Map(
    listings
      .filter((_, index) => index % 10 === 0)
      .map(({ symbol }) => [
        symbol,
        market.history(symbol, "2000-01-01", "2024-12-31") ?? { sessions: [], dividends: [], splits: [] },
      ]),
  );
});

function allBars(): MarketBar[] {
  return [...histories.values()].flatMap(({ sessions }) => sessions.flatMap(({ bar }) => bar ?? []));
}

describe("the made-up market", () => {
  it("lists about 2,000 companies in both forms of the directory", () => {
    const { current, older } = market.directory();
    const symbols = (file: Uint8Array): string[] =>
      parseDirectory(file)
        .listings.map(({ symbol }) => symbol)
        .toSorted();
    expect(symbols(current).length).toBeGreaterThan(1_800);
    expect(symbols(current).length).toBeLessThan(2_200);
    expect(symbols(older)).toEqual(symbols(current));
    expect(new TextDecoder().decode(older)).toMatch(
      /^ASX listed companies as at Fri May 31 19:30:00 AEST 2024\n\nCompany name,ASX code,GICS/,
    );
    expect(new TextDecoder().decode(current)).toMatch(
      /^"ASX code","Company name","GICs industry group","Listing date","Market Cap"\n.*[^\n]$/s,
    );
  });

  it("is the same for the same seed and another for another", () => {
    const again = createSyntheticMarket({ seed: 1, now: () => NOW });
    const other = createSyntheticMarket({ seed: 2, now: () => NOW });
    expect(again.history("BHP", "2024-01-01", "2024-05-31")).toEqual(market.history("BHP", "2024-01-01", "2024-05-31"));
    expect(Buffer.compare(again.directory().current, market.directory().current)).toBe(0);
    expect(other.history("BHP", "2024-01-01", "2024-05-31")).not.toEqual(
      market.history("BHP", "2024-01-01", "2024-05-31"),
    );
  });

  it("gives a day the same bar whether it is asked for alone or in a range", () => {
    const range = market.history("BHP", "2023-01-01", "2024-05-31")?.sessions.find(({ date }) => date === "2023-06-15");
    expect(market.history("BHP", "2023-06-15", "2023-06-15")?.sessions).toEqual([range]);
  });

  it("has sessions on trading days only, until the last that has closed", () => {
    const dates = market.history("BHP", "2024-01-01", "2024-12-31")?.sessions.map(({ date }) => date);
    expect(dates).toEqual(createTradingCalendar().tradingDays("2024-01-01", "2024-05-31"));
    const before = marketAt("2024-05-31T16:00:00+10:00").history("BHP", "2024-05-30", "2024-05-31");
    expect(before?.sessions.map(({ date }) => date)).toEqual(["2024-05-30"]);
  });

  it("has bars that hold: low is lowest, high is highest, every price above 0, whole volumes", () => {
    for (const { open, high, low, close, adjustedClose, volume } of allBars()) {
      const holds = low > 0 && low <= open && low <= close && high >= open && high >= close && adjustedClose > 0;
      if (!holds || !Number.isSafeInteger(volume) || volume < 0)
        throw new Error(JSON.stringify({ open, high, low, close, volume }));
    }
    expect(allBars().length).toBeGreaterThan(500_000);
  });

  it("has everything a real one has: splits, consolidations, dividends, halts, idle days and new listings", () => {
    const all = [...histories.values()];
    const splits = all.flatMap((history) => history.splits);
    expect(splits.filter(({ numerator }) => numerator === 5).length).toBeGreaterThan(5);
    expect(splits.filter(({ denominator }) => denominator === 20).length).toBeGreaterThan(5);
    expect(all.flatMap(({ dividends }) => dividends).length).toBeGreaterThan(500);
    const sessions = all.flatMap((history) => history.sessions);
    expect(sessions.filter(({ bar }) => bar === null).length / sessions.length).toBeGreaterThan(0.03);
    expect(sessions.filter(({ bar }) => bar?.volume === 0 && bar.high === bar.low).length).toBeGreaterThan(3_000);
    expect(all.filter(({ sessions: [first] }) => (first?.date ?? "") > "2010").length).toBeGreaterThan(10);
  });

  it("forgets a company that was delisted, and does not know one that comes later", () => {
    const codes = (instant: string): Set<string> =>
      new Set(parseDirectory(marketAt(instant).directory().current).listings.map(({ symbol }) => symbol));
    const early = codes("2015-06-01T19:30:00+10:00");
    const late = codes("2024-05-31T19:30:00+10:00");
    const earlyMarket = marketAt("2015-06-01T19:30:00+10:00");
    const sessionsThen = (code: string) => earlyMarket.history(code, "2015-01-01", "2015-06-01")?.sessions.length ?? 0;
    const gone = [...early].filter((code) => !late.has(code) && sessionsThen(code) > 50);
    const future = [...late].filter((code) => !early.has(code));
    expect([gone.length > 10, future.length > 10]).toEqual([true, true]);
    for (const code of gone) expect(market.history(code, "2015-01-01", "2015-06-01")).toBeUndefined();
    for (const code of future) expect(sessionsThen(code)).toBe(0);
    expect(market.history("../X", "2015-01-01", "2015-06-01")).toBeUndefined();
  });

  it("lists companies that the price provider does not know", () => {
    const { listings } = parseDirectory(market.directory().current);
    const unknown = listings.filter(({ symbol }) => market.history(symbol, "2024-05-31", "2024-05-31") === undefined);
    expect(unknown.length / listings.length).toBeCloseTo(0.08, 1);
  });

  it("adjusts prices before a split, once it has happened, by its ratio", () => {
    for (const [symbol, { splits }] of histories) {
      const split = splits.at(-1);
      if (split === undefined || splits.length !== 1) continue;
      const ratio = split.numerator / split.denominator;
      const dayBefore = createTradingCalendar().previousTradingDay(split.date);
      const asSeen = marketAt(`${dayBefore}T19:30:00+10:00`).history(symbol, dayBefore, dayBefore)?.sessions[0]?.bar;
      const adjusted = market.history(symbol, dayBefore, dayBefore)?.sessions[0]?.bar;
      if (asSeen === undefined || asSeen === null) continue;
      expect(adjusted?.close).toBeCloseTo(asSeen.close / ratio, 9);
      return;
    }
    throw new Error("no company with one split");
  });

  it("adjusts the close before an ex-date by 1 - dividend / previous close", () => {
    const history = market.history("BHP", "2023-06-01", "2024-05-31");
    const dividend = history?.dividends.at(-1);
    const sessions = history?.sessions ?? [];
    const before = sessions[sessions.findIndex(({ date }) => date === dividend?.date) - 1]?.bar;
    const factor = 1 - (dividend?.amount ?? Number.NaN) / (before?.close ?? Number.NaN);
    expect((before?.adjustedClose ?? 0) / (before?.close ?? 1)).toBeCloseTo(factor, 3);
  });
});
