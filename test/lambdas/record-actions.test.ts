import { describe, expect, it } from "vitest";
import type { ActionsAnswer } from "../../domain/corporate-action.ts";
import { StoreConflictError, StoredFileError, StoreRefusedError, StoreUnavailableError } from "../../domain/errors.ts";
import { pendingKey } from "../../domain/object-keys.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { fetchHistory } from "../../lambdas/batch-fetcher/fetch-history.ts";
import { withoutBars } from "../../lambdas/batch-fetcher/history-bars.ts";
import { encodePending } from "../../lambdas/batch-fetcher/pending-history.ts";
import type { ChartAnswer, SessionChart } from "../../lambdas/batch-fetcher/price-source.ts";
import {
  actionsSeen,
  historyActionsSeen,
  recordActions,
  recordBatchActions,
} from "../../lambdas/batch-fetcher/record-actions.ts";
import { createYahooSource } from "../../lambdas/batch-fetcher/yahoo.ts";
import { createSimulatedClock } from "../../sandbox/simulated-clock.ts";
import { createTestFetcher } from "../support/test-fetcher.ts";
import { createSimulatedRuntime, createTestRuntime, EVENING, type TestRuntime } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch } from "../support/tiny-market.ts";

const EX = "2024-05-30";
const YEAR = "actions/2024.csv";
const HOUR_MS = 3_600_000;
const ANSWERED = Date.parse("2024-05-31T09:00:00Z");

interface Told {
  readonly hours?: number;
  readonly from?: string;
  readonly to?: string;
  readonly dividends?: Record<string, number>;
  readonly splits?: Record<string, number>;
}

function answer(symbol: string, told: Told = {}): ActionsAnswer {
  return {
    symbol,
    span: { from: told.from ?? "2024-05-27", to: told.to ?? "2024-05-31" },
    answeredAt: ANSWERED + (told.hours ?? 0) * HOUR_MS,
    dividends: new Map(Object.entries(told.dividends ?? {})),
    splits: new Map(Object.entries(told.splits ?? {})),
  };
}

function linesOf({ store }: Pick<TestRuntime, "store">, key = YEAR): string[] {
  return new TextDecoder().decode(store.objects.get(key)).trim().split("\n").slice(1);
}

function writes({ store }: TestRuntime): string[] {
  return store.calls.filter((call) => call.startsWith("replace"));
}

describe("recording actions", () => {
  it("adds what answers have to the file of the year", async () => {
    const runtime = createTestRuntime();
    await recordActions(
      [answer("CBA", { dividends: { [EX]: 2.15 } }), answer("BHP", { splits: { [EX]: 2 } })],
      runtime,
    );
    await recordActions([answer("ANZ", { dividends: { [EX]: 0.83 } })], runtime);
    const seen = "2024-05-31T09:00:00.000Z,2024-05-31T09:00:00.000Z,";
    expect(linesOf(runtime)).toEqual([
      `ANZ,${EX},dividend,0.83,${seen}`,
      `BHP,${EX},split,2,${seen}`,
      `CBA,${EX},dividend,2.15,${seen}`,
    ]);
    expect([...runtime.store.objects.keys()]).toEqual([YEAR]);
  });

  it("writes nothing where nothing is new, and a confirmation only after twenty hours", async () => {
    const runtime = createTestRuntime();
    const dividends = { [EX]: 2.15 };
    await recordActions([answer("CBA", { dividends })], runtime);
    await recordActions([answer("BHP")], runtime);
    for (const hours of [0, 1, 20]) await recordActions([answer("CBA", { dividends, hours })], runtime);
    expect(writes(runtime)).toHaveLength(1);
    await recordActions([answer("CBA", { dividends, hours: 21 })], runtime);
    expect(writes(runtime)).toHaveLength(2);
    expect(linesOf(runtime)).toEqual([`CBA,${EX},dividend,2.15,2024-05-31T09:00:00.000Z,2024-06-01T06:00:00.000Z,`]);
  });

  it("asks the store for nothing where nothing was answered", async () => {
    const runtime = createTestRuntime();
    await recordActions([], runtime);
    expect(runtime.store.calls).toEqual([]);
  });

  it("records that a value was withdrawn or revised, at once", async () => {
    const runtime = createTestRuntime();
    await recordActions([answer("CBA", { dividends: { [EX]: 2.15 } })], runtime);
    await recordActions([answer("CBA", { hours: 1 })], runtime);
    expect(linesOf(runtime)).toEqual([expect.stringMatching(/^CBA,.*,2024-05-31T10:00:00.000Z$/)]);
    await recordActions([answer("CBA", { dividends: { [EX]: 2.2 }, hours: 2 })], runtime);
    expect(linesOf(runtime)).toHaveLength(2);
  });

  it("keeps each year of a span in its own file, and knows an old dividend by a split of a later year", async () => {
    const runtime = createTestRuntime();
    const span = { from: "2022-01-03", to: "2022-12-30" };
    const earlier = {
      ...answer("BHP", { ...span, dividends: { "2022-08-11": 3 } }),
      answeredAt: Date.parse("2023-01-05"),
    };
    await recordActions([earlier], runtime);
    await recordActions([answer("BHP", { splits: { [EX]: 3 } })], runtime);
    await recordActions([answer("BHP", { ...span, dividends: { "2022-08-11": 1 } })], runtime);
    expect([...runtime.store.objects.keys()]).toEqual(["actions/2022.csv", YEAR]);
    expect(linesOf(runtime, "actions/2022.csv")).toEqual([
      "BHP,2022-08-11,dividend,1,2023-01-05T00:00:00.000Z,2024-05-31T09:00:00.000Z,",
    ]);
  });

  it("loses nothing where ten write at once", async () => {
    const runtime = createTestRuntime();
    const symbols = Array.from({ length: 10 }, (_, index) => `AB${index}`);
    const dividends = { "2023-12-29": 0.5, [EX]: 1 };
    await Promise.all(
      symbols.map((symbol) => recordActions([answer(symbol, { from: "2023-12-01", dividends })], runtime)),
    );
    for (const key of ["actions/2023.csv", YEAR]) {
      expect(linesOf(runtime, key).map((line) => line.slice(0, 3))).toEqual(symbols);
    }
  });

  it("is given up after 24 tries, with random waits between them", async () => {
    const runtime = createTestRuntime();
    runtime.store.replace = async (key) => {
      throw new StoreConflictError(`${key} was changed`);
    };
    const answers = [answer("CBA", { dividends: { [EX]: 1 } })];
    await expect(recordActions(answers, runtime)).rejects.toThrow(StoreConflictError);
    expect(runtime.clock.slept).toEqual(Array.from({ length: 23 }, (_, index) => Math.min(1_000, (index + 1) * 100)));
    await recordBatchActions(answers, runtime);
    expect(runtime.logs).toEqual([`error corporate actions are not recorded: ${YEAR} was changed`]);
  });

  it("is tried less often where a batch ends soon, and not at all in its last seconds", async () => {
    const runtime = createTestRuntime();
    runtime.store.replace = async (key) => {
      throw new StoreConflictError(`${key} was changed`);
    };
    const answers = [answer("CBA", { dividends: { [EX]: 1 } })];
    const startedAt = runtime.clock.now();
    await recordBatchActions(answers, runtime, startedAt + 16_000);
    expect(runtime.clock.slept).toEqual([100, 200, 300, 400]);
    await recordBatchActions(answers, runtime, runtime.clock.now() + 14_999);
    expect(runtime.logs).toEqual([
      `error corporate actions are not recorded: ${YEAR} was changed`,
      "error corporate actions are not recorded: the batch has no time left; the next answers bring them",
    ]);
  });

  it("names a damaged file and leaves it as it is; a batch goes on without it", async () => {
    const runtime = createTestRuntime();
    const damaged = new TextEncoder().encode("symbol,ex");
    await runtime.store.put(YEAR, damaged);
    const answers = [answer("CBA", { dividends: { [EX]: 1 } })];
    await expect(recordActions(answers, runtime)).rejects.toThrow(StoredFileError);
    await recordBatchActions(answers, runtime);
    expect(runtime.store.objects.get(YEAR)).toEqual(damaged);
    expect(runtime.logs).toEqual([
      expect.stringContaining(`error corporate actions are not recorded: ${YEAR} is damaged`),
    ]);
  });
});

const QUESTION = { symbol: "BHP", ticker: "BHP.AX", from: "2024-05-27", to: "2024-05-31" };

function chart(overrides: Partial<SessionChart> = {}): SessionChart {
  const row = {
    date: "2024-05-31",
    stampedAtOpen: true,
    open: 1,
    high: 1,
    low: 1,
    close: 1,
    adjustedClose: 1,
    volume: 1,
  };
  return {
    ...{ kind: "chart", ticker: "BHP.AX", currency: "AUD", zone: "Australia/Sydney", rows: [row] },
    ...{ dividends: new Map(), splits: new Map(), ...overrides },
  };
}

describe("what an answer says of actions", () => {
  it("is what it has between the dates asked for, on days without a bar too", () => {
    const dividends = new Map([
      ["2024-05-26", 9],
      [EX, 1.1],
      ["2024-06-01", 9],
    ]);
    const timed = { answer: chart({ dividends, splits: new Map([["2024-05-27", 2]]) }), answeredAt: ANSWERED };
    expect(actionsSeen(timed, QUESTION, createTestRuntime())).toEqual({
      ...{ symbol: "BHP", span: { from: "2024-05-27", to: "2024-05-31" }, answeredAt: ANSWERED },
      ...{ dividends: new Map([[EX, 1.1]]), splits: new Map([["2024-05-27", 2]]) },
    });
  });

  it.each<[string, ChartAnswer]>([
    ["an unknown symbol", { kind: "notFound" }],
    ["no data", { kind: "noData" }],
    ["another symbol", chart({ ticker: "CBA.AX" })],
    ["another currency", chart({ currency: "USD" })],
    ["another zone", chart({ zone: "America/New_York" })],
    ["neither rows nor actions", chart({ rows: [] })],
  ])("is nothing for %s", (_, given) => {
    expect(actionsSeen({ answer: given, answeredAt: ANSWERED }, QUESTION, createTestRuntime())).toBeUndefined();
  });

  it("passes over values that are none, and logs them", () => {
    const runtime = createTestRuntime();
    const dividends = new Map<string, unknown>([
      ["2024-05-28", 0],
      ["2024-05-29", "1.1"],
      [EX, Number.NaN],
    ]);
    const seen = actionsSeen({ answer: chart({ dividends }), answeredAt: ANSWERED }, QUESTION, runtime);
    expect([...(seen?.dividends.values() ?? [])]).toEqual([undefined, undefined, undefined]);
    expect(runtime.logs).toHaveLength(3);
    expect(runtime.logs[0]).toBe("warn BHP: the dividend of 2024-05-28 is no number above 0");
  });
});

describe("a batch of a run", () => {
  it("stores its bars, then records what it saw of actions, on a day without a bar too", async () => {
    const { fetch, runtime } = createTestFetcher({
      bars: { BHP: { "2024-05-31": {} }, CBA: { "2024-05-31": null } },
      dividends: { BHP: [{ date: "2024-05-31", amount: 0.5 }], CBA: [{ date: "2024-05-31", amount: 2 }] },
    });
    await fetch({ symbols: ["BHP", "CBA", "XYZ"], batchNumber: 0, date: "2024-05-31" });
    const seen = /2024-05-31T09:30:\d\d\.\d\d\dZ/.source;
    expect(linesOf(runtime)).toEqual([
      expect.stringMatching(new RegExp(`^BHP,2024-05-31,dividend,0.5,${seen},${seen},$`)),
      expect.stringMatching(new RegExp(`^CBA,2024-05-31,dividend,2,${seen},${seen},$`)),
    ]);
    const stored = runtime.store.calls.filter((call) => /^(put|replace) /.test(call)).map((call) => call.split(" ")[1]);
    expect(stored).toEqual(["raw-data/2024-05-31-batch-0.parquet", YEAR]);
  });

  it.each([
    ["cannot be reached", (key: string) => new StoreUnavailableError(`${key}: 503`)],
    ["may not be written", (key: string) => new StoreRefusedError(`${key}: access denied`)],
    ["others keep changing", (key: string) => new StoreConflictError(`${key} was changed`)],
  ])("keeps its bars where the table of actions %s", async (_, troubleOf) => {
    const { fetch, runtime, stored } = createTestFetcher({
      bars: { BHP: { "2024-05-31": {} } },
      dividends: { BHP: [{ date: "2024-05-31", amount: 0.5 }] },
    });
    const { replace } = runtime.store;
    runtime.store.replace = async (key, ...rest) => {
      if (key === YEAR) throw troubleOf(key);
      await replace(key, ...rest);
    };
    const result = await fetch({ symbols: ["BHP"], batchNumber: 0, date: "2024-05-31" });
    expect(result.counts.fetched).toBe(1);
    expect((await stored("2024-05-31")).bars.map(({ symbol }) => symbol)).toEqual(["BHP"]);
    expect(runtime.logs.filter((line) => line.startsWith("error"))).toEqual([
      `error corporate actions are not recorded: ${troubleOf(YEAR).message}`,
    ]);
  });
});

describe("a batch of a backfill", () => {
  it("records what its answers have before it stores its file, those that an earlier fetcher left pending among them", async () => {
    const span = { from: "2024-05-27", to: "2024-05-31" };
    const market = createTinyMarket({
      bars: { BHP: { "2024-05-28": {} }, CBA: { "2024-05-29": {} }, NAB: { "2024-05-28": {} } },
      dividends: { BHP: [{ date: "2024-05-29", amount: 0.5 }] },
      splits: { NAB: [{ date: "2024-05-30", numerator: 3, denominator: 1 }] },
    });
    const clock = createSimulatedClock(Date.parse(EVENING));
    const { fetch } = sandboxFetch(market, clock.now);
    const runtime = createSimulatedRuntime({ clock, fetch });
    const source = createYahooSource({ baseUrl: "http://sandbox", userAgent: "test", fetch, clock });
    const pending = {
      report: { symbol: "CBA", outcome: "noTrade" as const, bars: 0, first: null, last: null, leftOut: 0 },
      ...{ bars: [], dividends: new Map([["2024-05-30", 2]]), splits: new Map(), answeredAt: ANSWERED },
    };
    await runtime.store.put(pendingKey({ ...span, symbol: "CBA" }), encodePending(pending, source.name));
    await clock.run(() =>
      fetchHistory(
        { backfill: span, symbols: ["BHP", "CBA", "NAB"], batchNumber: 0 },
        { source, calendar: createTradingCalendar(), requestsPerSecond: null, runtime },
      ),
    );
    expect(linesOf(runtime).map((line) => line.split(",").slice(0, 4).join())).toEqual([
      "BHP,2024-05-29,dividend,0.5",
      "CBA,2024-05-30,dividend,2",
      "NAB,2024-05-30,split,3",
    ]);
    const stored = runtime.store.calls.filter((call) => /^replace /.test(call)).map((call) => call.split(" ")[1]);
    expect(stored).toEqual([YEAR, "history/2024-05-27_2024-05-31-batch-0.parquet"]);
  });

  it("that has neither rows nor actions of a symbol says nothing of it", () => {
    const nothing = withoutBars({ symbol: "BHP", outcome: "noTrade" }, ANSWERED);
    const span = { from: "2024-05-27", to: "2024-05-31" };
    expect(historyActionsSeen(nothing, span, createTestRuntime())).toBeUndefined();
    const withRows = { ...nothing, report: { ...nothing.report, leftOut: 1 } };
    expect(historyActionsSeen(withRows, span, createTestRuntime())).toMatchObject({ symbol: "BHP", span });
  });
});
