import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { historyOf, type SymbolHistory } from "../../lambdas/batch-fetcher/history-bars.ts";
import type { SessionChart, SessionRow } from "../../lambdas/batch-fetcher/price-source.ts";
import { sessionOutcome } from "../../lambdas/batch-fetcher/session-bar.ts";

const SPAN = { from: "2024-05-20", to: "2024-05-31" };
const DATES = createTradingCalendar().tradingDays(SPAN.from, SPAN.to);
const SUNDAY = "2024-05-26";
const EVENING = Date.parse("2024-05-31T19:30:00+10:00");
const AFTERNOON = Date.parse("2024-05-31T16:30:00+10:00");
const QUESTION = { symbol: "BHP", ticker: "BHP.AX", span: SPAN, sessions: new Set(DATES), batchNumber: 4 };
const NOTHING = { open: null, high: null, low: null, close: null, adjustedClose: null, volume: null };

function row(date: string, values: Partial<SessionRow> = {}): SessionRow {
  const prices = { open: 30.25, high: 30.75, low: 30, close: 30.5, adjustedClose: 29.5, volume: 1200 };
  return { date, stampedAtOpen: true, ...prices, ...values };
}

function chart(rows: readonly SessionRow[], parts: Partial<SessionChart> = {}): SessionChart {
  const actions = { dividends: new Map(), splits: new Map() };
  return { kind: "chart", ticker: "BHP.AX", currency: "AUD", zone: "Australia/Sydney", rows, ...actions, ...parts };
}

function history(rows: readonly SessionRow[], parts: Partial<SessionChart> = {}, answeredAt = EVENING): SymbolHistory {
  return historyOf({ answer: chart(rows, parts), answeredAt }, QUESTION);
}

describe("a symbol's history", () => {
  it("has the bars of an answer in order of date, with the actions of their dates", () => {
    const { report, bars, dividends } = history([row("2024-05-31"), row("2024-05-20", { volume: 7 })], {
      dividends: new Map([["2024-05-31", 0.5]]),
      splits: new Map([["2024-05-20", 2]]),
    });
    expect(report).toEqual({
      ...{ symbol: "BHP", outcome: "fetched", bars: 2, first: "2024-05-20", last: "2024-05-31", leftOut: 0 },
    });
    expect(bars.map(({ date, volume, dividend, splitRatio }) => [date, volume, dividend, splitRatio])).toEqual([
      ["2024-05-20", 7, null, 2],
      ["2024-05-31", 1200, 0.5, null],
    ]);
    expect(bars[0]).toMatchObject({ symbol: "BHP", batchNumber: 4, fetchTimestamp: EVENING });
    expect(dividends).toEqual(new Map([["2024-05-31", 0.5]]));
  });

  it("leaves out what breaks an invariant or lies on a day without a session, counts it, and quotes three", () => {
    const broken = ["2024-05-20", "2024-05-21", "2024-05-22"].map((date) => row(date, { low: 40 }));
    const { report, bars } = history([row(SUNDAY), ...broken, row("2024-05-31")]);
    expect(bars.map(({ date }) => date)).toEqual(["2024-05-31"]);
    expect(report).toMatchObject({ outcome: "fetched", bars: 1, leftOut: 4 });
    expect(report.reason).toBe(
      "4 rows were left out: 2024-05-20: low 40 is above high 30.75; 2024-05-21: low 40 is above high 30.75; " +
        "2024-05-22: low 40 is above high 30.75, ...",
    );
  });

  it("passes over rows outside its span, and rows without prices", () => {
    const { report } = history([
      row("2024-05-17"),
      row("2024-05-20", NOTHING),
      row(SUNDAY, NOTHING),
      row("2024-06-03"),
    ]);
    expect(report).toEqual({ symbol: "BHP", outcome: "noTrade", bars: 0, first: null, last: null, leftOut: 0 });
  });

  it.each([
    ["another ticker", [row("2024-05-20")], { ticker: "CBA.AX" }, "invalid", 'the answer is of "CBA.AX", not BHP.AX'],
    ["another currency", [row("2024-05-20")], { currency: "USD" }, "invalid", "currency is USD, not AUD"],
    [
      "no row that holds",
      [row("2024-05-20", { open: -1 })],
      {},
      "invalid",
      "1 row was left out: 2024-05-20: open is -1",
    ],
    ["another zone", [row("2024-05-20")], { zone: "UTC" }, "failed", "time zone is UTC"],
    ["another zone and no row", [], { zone: "UTC" }, "failed", "time zone is UTC"],
  ] as const)("with %s has an outcome with a reason", (_, rows, parts, outcome, reason) => {
    const { report, bars } = history(rows, parts);
    expect(bars).toEqual([]);
    expect(report).toMatchObject({ outcome, bars: 0, first: null, last: null });
    expect(report.reason).toContain(reason);
  });

  it("of a live row that has not settled has failed, and is asked for again", () => {
    const live = row("2024-05-31", { stampedAtOpen: false });
    expect(history([row("2024-05-30"), live], {}, AFTERNOON).report).toMatchObject({ outcome: "failed", bars: 0 });
    expect(history([row("2024-05-30"), live]).report).toMatchObject({ outcome: "fetched", bars: 2 });
  });

  it("that is unknown, or of which there is nothing, says so", () => {
    expect(historyOf({ answer: { kind: "notFound" }, answeredAt: 1 }, QUESTION).report.outcome).toBe("notFound");
    expect(historyOf({ answer: { kind: "noData" }, answeredAt: 1 }, QUESTION).report.outcome).toBe("noTrade");
  });

  it("has for every date the bar that a question for that date alone has", () => {
    const values = fc.constantFrom<Partial<SessionRow>>({}, NOTHING, { low: 40 }, { volume: 3 }, { close: 30.1 });
    const rows = fc.array(
      fc
        .tuple(fc.constantFrom(...DATES, SUNDAY, "2024-05-17"), fc.boolean(), values)
        .map(([date, stampedAtOpen, parts]) => row(date, { ...parts, stampedAtOpen })),
      { maxLength: 30 },
    );
    const parts = fc.constantFrom<Partial<SessionChart>>({}, {}, {}, { zone: "UTC" }, { currency: "USD" });
    fc.assert(
      fc.property(rows, parts, (someRows, someParts) => {
        const answer = chart(someRows, { ...someParts, dividends: new Map([["2024-05-30", Number.NaN]]) });
        const found = historyOf({ answer, answeredAt: EVENING }, QUESTION);
        const byDate = DATES.map((date) => sessionOutcome({ answer, answeredAt: EVENING }, { ...QUESTION, date }));
        expect(found.bars).toEqual(byDate.flatMap((outcome) => (outcome.outcome === "fetched" ? outcome.bar : [])));
      }),
      { numRuns: 300 },
    );
  });

  it("looks at each row a few times, however many there are", () => {
    let looks = 0;
    const counted = (date: string): SessionRow => ({
      ...row(date),
      get date() {
        looks += 1;
        return date;
      },
    });
    const span = { from: "2014-06-02", to: "2024-05-31" };
    const dates = createTradingCalendar().tradingDays(span.from, span.to);
    const answer = chart(dates.map(counted));
    const found = historyOf({ answer, answeredAt: EVENING }, { ...QUESTION, span, sessions: new Set(dates) });
    expect(found.bars).toHaveLength(dates.length);
    expect(looks).toBeLessThan(dates.length * 20);
  });
});
