import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SessionChart, SessionRow } from "../../lambdas/batch-fetcher/price-source.ts";
import { type SessionOutcome, type SessionQuestion, sessionOutcome } from "../../lambdas/batch-fetcher/session-bar.ts";
import { parseChartResponse } from "../../lambdas/batch-fetcher/yahoo-chart.ts";
import { chartBody, epochSeconds } from "../support/chart-body.ts";

const DATE = "2024-05-31";
const EVENING = Date.parse("2024-05-31T19:30:00+10:00");
const AFTERNOON = Date.parse("2024-05-31T16:15:00+10:00");
const QUESTION: SessionQuestion = { symbol: "BHP", ticker: "BHP.AX", date: DATE, batchNumber: 7 };

/** A session's row of the date asked for. */
function row(values: Partial<SessionRow> = {}): SessionRow {
  return {
    date: DATE,
    stampedAtOpen: true,
    open: 30.25,
    high: 30.75,
    low: 30,
    close: 30.5,
    adjustedClose: 29.5,
    volume: 1200,
    ...values,
  };
}

/** A row stamped with the last trade. */
function liveRow(values: Partial<SessionRow> = {}): SessionRow {
  return row({ stampedAtOpen: false, close: 30.6, volume: 900, ...values });
}

const NOTHING = { open: null, high: null, low: null, close: null, adjustedClose: null, volume: null };

function chart(rows: readonly SessionRow[], parts: Partial<SessionChart> = {}): SessionChart {
  return {
    kind: "chart",
    ticker: "BHP.AX",
    currency: "AUD",
    zone: "Australia/Sydney",
    rows,
    dividends: new Map(),
    splits: new Map(),
    ...parts,
  };
}

function outcomeOf(rows: readonly SessionRow[], answeredAt = EVENING, question = QUESTION): SessionOutcome {
  return sessionOutcome({ answer: chart(rows), answeredAt }, question);
}

describe("a session's bar", () => {
  it("holds the row's values, the question's symbol, date and batch, and when the answer came", () => {
    const answeredAt = Date.parse("2024-06-03T08:15:00.123+10:00");

    expect(outcomeOf([row()], answeredAt)).toEqual({
      outcome: "fetched",
      bar: {
        symbol: "BHP",
        date: "2024-05-31",
        open: 30.25,
        high: 30.75,
        low: 30,
        close: 30.5,
        adjustedClose: 29.5,
        volume: 1200,
        dividend: null,
        splitRatio: null,
        fetchTimestamp: answeredAt,
        batchNumber: 7,
      },
    });
  });

  it("has no batch number where the question has none", () => {
    expect(outcomeOf([row()], EVENING, { ...QUESTION, batchNumber: null })).toMatchObject({
      bar: { batchNumber: null },
    });
  });

  it("may lack an adjusted close and may have traded nothing", () => {
    const halted = row({ open: 30, high: 30, low: 30, close: 30, adjustedClose: null, volume: 0 });

    expect(outcomeOf([halted])).toMatchObject({ outcome: "fetched", bar: { adjustedClose: null, volume: 0 } });
  });

  it("is that of the date, whatever other dates the answer holds", () => {
    const rows = [
      row({ date: "2024-05-30", close: 30.1 }),
      row({ close: 30.2 }),
      row({ date: "2024-06-03", close: 30.3 }),
      liveRow({ date: "2024-06-04", close: 30.4 }),
    ];

    expect(outcomeOf(rows)).toMatchObject({ outcome: "fetched", bar: { date: DATE, close: 30.2 } });
  });

  it("is the later row where the session stands twice", () => {
    expect(outcomeOf([row({ volume: 1 }), row({ volume: 2 })])).toMatchObject({ bar: { volume: 2 } });
  });
});

describe("a live row", () => {
  const session = row({ close: 30.5 });
  const live = liveRow({ close: 30.6 });

  it.each([
    ["after it, once prices have settled", [session, live], EVENING],
    ["before it, once prices have settled", [live, session], EVENING],
    ["after it, while prices move", [session, live], AFTERNOON],
    ["before it, while prices move", [live, session], AFTERNOON],
    ["on both sides of it", [live, session, live], EVENING],
  ])("gives way to the session's row: %s", (_case, rows, answeredAt) => {
    expect(outcomeOf(rows, answeredAt)).toMatchObject({ outcome: "fetched", bar: { close: 30.5 } });
  });

  it.each([
    ["in standard time", "2024-05-31", "2024-05-31T18:59:59.999+10:00", "failed"],
    ["in standard time", "2024-05-31", "2024-05-31T19:00:00.000+10:00", "fetched"],
    ["in daylight time", "2024-01-15", "2024-01-15T18:59:59.999+11:00", "failed"],
    ["in daylight time", "2024-01-15", "2024-01-15T19:00:00.000+11:00", "fetched"],
    ["on a later day", "2024-05-31", "2024-06-03T09:00:00.000+10:00", "fetched"],
  ])("alone stands for its day from 19:00 in Sydney on: %s, %s answered at %s", (_case, date, at, outcome) => {
    const question = { ...QUESTION, date };

    expect(outcomeOf([liveRow({ date })], Date.parse(at), question)).toMatchObject({ outcome });
  });

  it("alone says, while prices move, which date has not settled", () => {
    expect(outcomeOf([live], AFTERNOON)).toMatchObject({
      outcome: "failed",
      reason: expect.stringMatching(/live.*2024-05-31/),
    });
  });

  it("of another date does not stand for the date asked for", () => {
    expect(outcomeOf([liveRow({ date: "2024-06-03" })], Date.parse("2024-06-03T20:00:00+10:00"))).toEqual({
      outcome: "noTrade",
    });
  });

  it("stands in for a session's row without prices, once prices have settled", () => {
    const rows = [row(NOTHING), live];

    expect(outcomeOf(rows, AFTERNOON)).toMatchObject({ outcome: "failed" });
    expect(outcomeOf(rows, EVENING)).toMatchObject({ outcome: "fetched", bar: { close: 30.6 } });
  });

  it("without prices does not hide the session's row", () => {
    expect(outcomeOf([session, liveRow(NOTHING)])).toMatchObject({ outcome: "fetched", bar: { close: 30.5 } });
  });

  it("repeated, the last one stands", () => {
    expect(outcomeOf([liveRow({ volume: 1 }), liveRow({ volume: 2 })])).toMatchObject({ bar: { volume: 2 } });
  });
});

describe("no trade", () => {
  it.each<[string, SessionRow[]]>([
    ["there is no row at all", []],
    ["all rows are of other dates", [row({ date: "2024-05-30" }), row({ date: "2024-06-03" })]],
    ["the date's row is null throughout", [row(NOTHING)]],
    ["the date's row has no prices and traded nothing", [row({ ...NOTHING, volume: 0 })]],
    ["the date's row has no prices but an adjusted close", [row({ ...NOTHING, adjustedClose: 29.5 })]],
  ])("is the outcome where %s", (_case, rows) => {
    expect(outcomeOf(rows)).toEqual({ outcome: "noTrade" });
  });

  it("is the outcome where the provider has no data in the window", () => {
    expect(sessionOutcome({ answer: { kind: "noData" }, answeredAt: EVENING }, QUESTION)).toEqual({
      outcome: "noTrade",
    });
  });

  it("is not the outcome where the provider does not know the symbol", () => {
    expect(sessionOutcome({ answer: { kind: "notFound" }, answeredAt: EVENING }, QUESTION)).toEqual({
      outcome: "notFound",
    });
  });
});

describe("a row that breaks an invariant is invalid, and the reason says how", () => {
  it.each<[string, Partial<SessionRow>, string]>([
    ["no prices but a volume", { ...NOTHING, volume: 1200 }, "null"],
    ["no close only", { close: null }, "close is null"],
    ["no open only", { open: null }, "open is null"],
    ["one price of four, though nothing traded: open", { ...NOTHING, open: 30.25, volume: 0 }, "null"],
    ["one price of four, though nothing traded: high", { ...NOTHING, high: 30.75, volume: 0 }, "null"],
    ["one price of four, though nothing traded: low", { ...NOTHING, low: 30, volume: 0 }, "null"],
    ["one price of four, though nothing traded: close", { ...NOTHING, close: 30.5, volume: 0 }, "null"],
    ["no volume only", { volume: null }, "volume is null"],
    ["an open of text", { open: "30.25" }, '"30.25"'],
    ["a volume of text", { volume: "1200" }, '"1200"'],
    ["an adjusted close of text", { adjustedClose: "29.5" }, '"29.5"'],
    ["a negative low", { low: -5 }, "-5"],
    ["a close of zero", { close: 0 }, "close is 0"],
    ["a negative adjusted close", { adjustedClose: -29.5 }, "-29.5"],
    ["an infinite high", { high: Number.POSITIVE_INFINITY }, "Infinity"],
    ["an infinite adjusted close", { adjustedClose: Number.POSITIVE_INFINITY }, "Infinity"],
    ["a price that is not a number", { close: Number.NaN }, "NaN"],
    ["a fractional volume", { volume: 1200.5 }, "1200.5"],
    ["a negative volume", { volume: -1 }, "-1"],
    ["a volume beyond exact integers", { volume: 2 ** 53 }, "9007199254740992"],
    ["a low above the high", { low: 31.25, open: 31.25, close: 31.25 }, "31.25"],
    ["a close above the high", { close: 30.875 }, "30.875"],
    ["an open below the low", { open: 29.875 }, "29.875"],
  ])("%s", (_case, values, quoted) => {
    expect(outcomeOf([row(values)])).toEqual({ outcome: "invalid", reason: expect.stringContaining(quoted) });
  });

  it("1e400 in the body", () => {
    const text = new TextDecoder().decode(chartBody({ rows: [{ at: "2024-05-31T10:00:00+10:00", high: "huge" }] }));
    const body = new TextEncoder().encode(text.replace('"huge"', "1e400"));
    const answer = parseChartResponse({ status: 200, body });

    expect(sessionOutcome({ answer, answeredAt: EVENING }, QUESTION)).toEqual({
      outcome: "invalid",
      reason: expect.stringContaining("Infinity"),
    });
  });

  it("a value of any length is quoted cut", () => {
    expect(outcomeOf([row({ close: "9".repeat(100_000) })])).toEqual({
      outcome: "invalid",
      reason: expect.stringMatching(/^.{1,160}$/),
    });
  });
});

describe("an answer that is not of the stock asked for is invalid", () => {
  it.each(["USD", "GBp", "aud", ""])("in the currency %j", (currency) => {
    expect(sessionOutcome({ answer: chart([row()], { currency }), answeredAt: EVENING }, QUESTION)).toEqual({
      outcome: "invalid",
      reason: expect.stringContaining(currency),
    });
  });

  it("in a currency it does not name", () => {
    const answer = chart([row()], { currency: undefined });

    expect(sessionOutcome({ answer, answeredAt: EVENING }, QUESTION)).toMatchObject({ outcome: "invalid" });
  });

  it.each(["BHPPA.AX", "BHP", "BHP.NZ", "bhp.ax", ""])("of the ticker %j", (ticker) => {
    expect(sessionOutcome({ answer: chart([row()], { ticker }), answeredAt: EVENING }, QUESTION)).toEqual({
      outcome: "invalid",
      reason: expect.stringContaining(JSON.stringify(ticker)),
    });
  });

  it("that names no ticker", () => {
    expect(sessionOutcome({ answer: chart([row()], { ticker: undefined }), answeredAt: EVENING }, QUESTION)).toEqual({
      outcome: "invalid",
      reason: "the answer is of no symbol, not BHP.AX",
    });
  });

  it("of another ticker even where it has no row of the date", () => {
    expect(sessionOutcome({ answer: chart([], { ticker: "CBA.AX" }), answeredAt: EVENING }, QUESTION)).toMatchObject({
      outcome: "invalid",
    });
  });
});

describe("an answer whose dates are not the exchange's", () => {
  const inZone = (zone: string | undefined, rows: readonly SessionRow[], parts: Partial<SessionChart> = {}) =>
    sessionOutcome({ answer: chart(rows, { zone, ...parts }), answeredAt: EVENING }, QUESTION);
  const zones = ["America/New_York", "UTC", "Australia/Perth", "Australia/Melbourne", "australia/sydney", ""];

  it.each(zones)("is no bar, whatever its rows say: %j", (zone) => {
    const failed = { outcome: "failed", reason: `the answer's time zone is ${zone}, not Australia/Sydney` };
    expect(inZone(zone, [row()])).toEqual(failed);
    expect(inZone(zone, [liveRow()])).toEqual(failed);
  });

  it.each(zones)("is no proof that nothing traded: %j", (zone) => {
    expect(inZone(zone, [])).toMatchObject({ outcome: "failed" });
    expect(inZone(zone, [row({ date: "2024-05-30" })])).toMatchObject({ outcome: "failed" });
    expect(inZone(zone, [row(NOTHING)])).toMatchObject({ outcome: "failed" });
  });

  it("is no bar either where it has rows and does not name their zone", () => {
    const failed = { outcome: "failed", reason: "the answer's time zone is not given, not Australia/Sydney" };
    expect(inZone(undefined, [row()])).toEqual(failed);
    expect(inZone(undefined, [row({ date: "2024-05-30" })])).toEqual(failed);
  });

  it("need not name a zone where it has no rows to date", () => {
    expect(inZone(undefined, [])).toEqual({ outcome: "noTrade" });
  });

  it("is invalid all the same where it is of another currency or ticker: asking again does not change that", () => {
    expect(inZone("America/New_York", [row()], { currency: "USD" })).toMatchObject({ outcome: "invalid" });
    expect(inZone("America/New_York", [], { currency: "USD" })).toMatchObject({ outcome: "invalid" });
    expect(inZone("America/New_York", [row()], { ticker: "BHP" })).toMatchObject({ outcome: "invalid" });
  });

  it("quotes the zone cut, and with nothing in it that a terminal would obey", () => {
    expect(inZone(`\u001b[31m${"x".repeat(1_000)}`, [row()])).toMatchObject({
      reason: expect.stringMatching(/^[\x20-\x7e]{1,100}$/),
    });
  });

  it("is read from the body's meta", () => {
    const rows = [{ at: "2024-05-31T10:00:00+10:00" }];
    const read = (meta: Record<string, unknown>) =>
      sessionOutcome(
        { answer: parseChartResponse({ status: 200, body: chartBody({ rows, meta }) }), answeredAt: EVENING },
        QUESTION,
      ).outcome;
    expect(read({})).toBe("fetched");
    expect(read({ exchangeTimezoneName: "America/New_York" })).toBe("failed");
  });
});

describe("dividends and splits", () => {
  const answer = chart([row({ date: "2024-05-30" }), row(), row({ date: "2024-06-03" })], {
    dividends: new Map([[DATE, 0.72]]),
    splits: new Map([[DATE, 0.1]]),
  });

  it("stand on the bar of their ex-date", () => {
    expect(sessionOutcome({ answer, answeredAt: EVENING }, QUESTION)).toMatchObject({
      bar: { dividend: 0.72, splitRatio: 0.1 },
    });
  });

  it.each(["2024-05-30", "2024-06-03"])("do not stand on the bar of another date: %s", (date) => {
    const answeredAt = Date.parse("2024-06-04T08:00:00+10:00");

    expect(sessionOutcome({ answer, answeredAt }, { ...QUESTION, date })).toMatchObject({
      outcome: "fetched",
      bar: { dividend: null, splitRatio: null },
    });
  });

  it("make no bar where there is no row", () => {
    const events = { dividends: new Map([[DATE, 0.72]]), splits: new Map([[DATE, 4]]) };

    expect(sessionOutcome({ answer: chart([], events), answeredAt: EVENING }, QUESTION)).toEqual({
      outcome: "noTrade",
    });
  });

  const date = epochSeconds("2024-05-31T10:00:00+10:00");
  it.each([
    ["a dividend of text", { dividends: { a: { date, amount: "0.72" } } }],
    ["a negative dividend", { dividends: { a: { date, amount: -0.72 } } }],
    ["a dividend of null", { dividends: { a: { date, amount: null } } }],
    ["a split into nothing", { splits: { a: { date, numerator: 0, denominator: 1 } } }],
    ["a split of nothing", { splits: { a: { date, numerator: 4, denominator: 0 } } }],
    ["a split in text", { splits: { a: { date, numerator: "4", denominator: "1" } } }],
  ])("that cannot be read make the bar of their ex-date invalid instead of being lost: %s", (_case, events) => {
    const body = chartBody({ rows: [{ at: "2024-05-31T10:00:00+10:00" }], events });
    const read = parseChartResponse({ status: 200, body });

    expect(sessionOutcome({ answer: read, answeredAt: EVENING }, QUESTION)).toMatchObject({ outcome: "invalid" });
  });
});

it("a fetched bar always holds its invariants and a refused one always has a reason", () => {
  const nearly = fc.oneof(
    { weight: 12, arbitrary: fc.double({ min: 29.999, max: 30.001, noNaN: true }) },
    fc.constantFrom(null, 0, -1, Number.NaN, Number.POSITIVE_INFINITY, "30"),
  );
  const volume = fc.oneof({ weight: 6, arbitrary: fc.nat() }, fc.constantFrom(null, -1, 0.5, "1"));
  const values = fc.record({ open: nearly, high: nearly, low: nearly, close: nearly, adjustedClose: nearly, volume });
  const rows = fc.array(fc.tuple(values, fc.boolean(), fc.constantFrom(DATE, "2024-05-30")), { maxLength: 3 });
  let fetched = 0;
  fc.assert(
    fc.property(rows, fc.constantFrom(AFTERNOON, EVENING), (drawn, answeredAt) => {
      const outcome = outcomeOf(
        drawn.map(([prices, stampedAtOpen, date]) => row({ ...prices, stampedAtOpen, date })),
        answeredAt,
      );
      if (outcome.outcome === "fetched") {
        fetched += 1;
        expect(outcome.bar).toMatchObject({ symbol: "BHP", date: DATE, fetchTimestamp: answeredAt });
        const { open, high, low, close, adjustedClose, volume } = outcome.bar;
        const prices = [open, high, low, close, adjustedClose ?? 1];
        expect(prices.every((price) => Number.isFinite(price) && price > 0)).toBe(true);
        expect(Math.max(open, low, close)).toBeLessThanOrEqual(high * (1 + 1e-6));
        expect(Math.min(open, high, close)).toBeGreaterThanOrEqual(low * (1 - 1e-6));
        expect(Number.isInteger(volume) && volume >= 0).toBe(true);
      } else if (outcome.outcome === "invalid" || outcome.outcome === "failed") {
        expect(outcome.reason).not.toBe("");
      } else {
        expect(outcome).toEqual({ outcome: "noTrade" });
      }
    }),
    { numRuns: 1_000 },
  );
  expect(fetched).toBeGreaterThan(0);
});
