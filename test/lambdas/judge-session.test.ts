/** The quality of a day in its summary: beyond the outcomes of single symbols, and beside the days before it. */
import { describe, expect, it } from "vitest";
import type { SymbolReport } from "../../domain/batch.ts";
import type { RunSummary, RunSummaryEvent } from "../../domain/run-summary.ts";
import { LARGE_COMPANIES } from "../../lambdas/run-summary/day-gates.ts";
import { RUN_DATE, runEvent, storeBatch, summarise } from "../support/fetched-run.ts";
import { fetchedReport, storedSummary, storeSummary } from "../support/stored-summary.ts";
import { plainBar, storeFile } from "../support/test-fetcher.ts";
import { createTestRuntime, type TestRuntime } from "../support/test-runtime.ts";

const BEFORE = "2024-05-30";
const WEEK_BEFORE = ["2024-05-24", "2024-05-27", "2024-05-28", "2024-05-29", BEFORE];

function symbols(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `S${index + 100}`);
}

function withOutcome(outcome: SymbolReport["outcome"], names: readonly string[]): SymbolReport[] {
  return names.map((symbol) => ({ symbol, outcome }));
}

/** Summaries of five days before on which 200 symbols traded. */
async function usual({ store }: TestRuntime, values: Parameters<typeof storeSummary>[3] = {}): Promise<void> {
  const quality = { traded: 200, usual: null, findings: [], suspects: [] };
  for (const date of WEEK_BEFORE) await storeSummary(store, date, [], { quality, ...values });
}

/** A partial day of 200 symbols. */
function withUnfinished(failed: number, deferred: number): Partial<RunSummary> {
  const counts = { fetched: 200 - failed - deferred, noTrade: 0, notFound: 0, invalid: 0, failed, deferred };
  const changes = { comparedTo: null, added: [], removed: [] };
  return {
    status: "partial",
    counts,
    symbols: { s3Key: null, source: "asx-directory", changes, warnings: [], total: 200 },
  };
}

/** The summary of a day of one batch. */
async function judged(
  runtime: TestRuntime,
  bars: Parameters<typeof storeBatch>[2],
  reports: readonly SymbolReport[] = [],
  values: Partial<RunSummaryEvent> = {},
) {
  const result = await storeBatch(runtime, 0, bars, reports);
  const names = [
    ...bars.map((bar) => (typeof bar === "string" ? bar : bar.symbol)),
    ...reports.map(({ symbol }) => symbol),
  ];
  const digest = await summarise(runEvent([names], [result], values), runtime);
  const summary = await storedSummary(runtime.store, RUN_DATE);
  return { digest, summary, gates: summary.quality?.findings.map(({ gate, stops }) => [gate, stops]) };
}

describe("a day that lacks part of the market", () => {
  const all = symbols(200);

  it("is failed, with the numbers in the message, whatever the single outcomes say", async () => {
    const runtime = createTestRuntime();
    await usual(runtime);
    const day = await judged(runtime, all.slice(0, 120), withOutcome("noTrade", all.slice(120)));
    expect(day.gates).toEqual([["coverage", true]]);
    expect(day.summary).toMatchObject({ status: "failed", counts: { fetched: 120, noTrade: 80, failed: 0 } });
    expect(day.digest.status).toBe("failed");
    expect(day.digest.message).toContain("coverage: 120 symbols traded, less than 75 % of 200");
    expect(runtime.measured.get("runFailed")).toBe(1);
  });

  it("is not judged failed while unfinished symbols could make up for it", async () => {
    const runtime = createTestRuntime();
    await usual(runtime);
    const day = await judged(runtime, all.slice(0, 120), withOutcome("failed", all.slice(120)));
    expect(day.gates).toEqual([]);
    expect(day.summary.status).toBe("partial");
  });

  it("is failed where even those could not", async () => {
    const runtime = createTestRuntime();
    await usual(runtime);
    const reports = [...withOutcome("noTrade", all.slice(120, 180)), ...withOutcome("deferred", all.slice(180))];
    expect((await judged(runtime, all.slice(0, 120), reports)).gates).toEqual([["coverage", true]]);
  });

  it("passes with a warning where it lacks little", async () => {
    const runtime = createTestRuntime();
    await usual(runtime);
    const day = await judged(runtime, all.slice(0, 165), withOutcome("noTrade", all.slice(165)));
    expect(day.gates).toEqual([["coverage", false]]);
    expect(day.summary.status).toBe("complete");
    expect(day.digest.message).toContain("coverage: 165 symbols traded, less than 85 %");
  });

  it.each<[string, Parameters<typeof storeSummary>[3]]>([
    ["had failed", { status: "failed" }],
    ["had more than 2 % of their symbols unfinished", withUnfinished(3, 2)],
    ["are from before this was counted", { quality: undefined }],
    ["were closed", { status: "market-closed" }],
  ])("is not found by days that %s", async (_, values) => {
    const runtime = createTestRuntime();
    await usual(runtime, values);
    const day = await judged(runtime, all.slice(0, 120), withOutcome("noTrade", all.slice(120)));
    expect(day.gates).toEqual([]);
  });

  it("is found by days of which 2 % are unfinished: one symbol that fails every day does not hide it", async () => {
    const runtime = createTestRuntime();
    await usual(runtime, withUnfinished(3, 1));
    const day = await judged(runtime, all.slice(0, 120), withOutcome("noTrade", all.slice(120)));
    expect(day.gates).toEqual([["coverage", true]]);
  });

  it("is not found where the symbols were named by hand, now or on the days before", async () => {
    const runtime = createTestRuntime();
    await usual(runtime);
    const event = runEvent([], []);
    const metadata = { ...event.metadata, source: "event" as const };
    expect((await judged(runtime, all.slice(0, 120), [], { metadata })).gates).toEqual([]);

    const other = createTestRuntime();
    const changes = { comparedTo: null, added: [], removed: [] };
    await usual(other, { symbols: { s3Key: null, source: "event", changes, warnings: [], total: 200 } });
    expect((await judged(other, all.slice(0, 120))).gates).toEqual([]);
  });
});

describe("a day of bars that cannot be right", () => {
  const all = symbols(110);

  async function dayBefore(runtime: TestRuntime, close: number): Promise<void> {
    await storeSummary(runtime.store, BEFORE, all.map(fetchedReport));
    const prices = { open: close, high: close, low: close, close, adjustedClose: close };
    await storeFile(
      runtime,
      { date: BEFORE },
      all.map((symbol) => plainBar(symbol, BEFORE, 0, prices)),
    );
  }

  it("is failed where they are those of the session before", async () => {
    const runtime = createTestRuntime();
    await storeSummary(runtime.store, BEFORE, all.map(fetchedReport));
    await storeFile(
      runtime,
      { date: BEFORE },
      all.map((symbol) => plainBar(symbol, BEFORE)),
    );
    const day = await judged(runtime, all);
    expect(day.gates).toEqual([["repeated", true]]);
    expect(day.summary.status).toBe("failed");
    expect(day.summary.rows).toBe(110);
  });

  it("is failed where their prices are of another level", async () => {
    const runtime = createTestRuntime();
    await dayBefore(runtime, 0.105);
    const day = await judged(runtime, all);
    expect(day.gates).toEqual([["jumps", true]]);
    expect(day.summary.status).toBe("failed");
  });

  it("is compared with the newest stored session of the last five", async () => {
    const runtime = createTestRuntime();
    await storeSummary(runtime.store, "2024-05-24", all.map(fetchedReport));
    await storeFile(
      runtime,
      { date: "2024-05-24" },
      all.map((symbol) => plainBar(symbol, "2024-05-24")),
    );
    expect((await judged(runtime, all)).gates).toEqual([["repeated", true]]);
  });

  it("names a few suspect bars, stores them as they came and passes", async () => {
    const runtime = createTestRuntime();
    await dayBefore(runtime, 10.5);
    const suspect = plainBar("S100", RUN_DATE, 0, { open: 1050, high: 1060, low: 1040, close: 1050 });
    const day = await judged(runtime, [suspect, ...all.slice(1)]);
    expect(day.summary.status).toBe("complete");
    expect(day.summary.quality?.suspects).toEqual([
      { symbol: "S100", kind: "price-jump", detail: expect.stringContaining("101 times the close 10.5") },
    ]);
    expect(day.summary.outcomes[0]).toEqual({ symbol: "S100", outcome: "fetched" });
    expect(day.digest.message).toContain("Suspect bars: 1.");
    expect(runtime.measured.get("barsSuspect")).toBe(1);
  });
});

describe("a bar that is the symbol's last one again", () => {
  it.each([1, 2, 5])("is doubted where that is of %i sessions before", async (back) => {
    const runtime = createTestRuntime();
    const date = WEEK_BEFORE.at(-back) ?? "";
    await storeBatch(runtime, 0, [plainBar("BHP", date)], [], date);
    const { summary } = await judged(runtime, [plainBar("BHP", RUN_DATE)]);
    expect(summary.quality?.suspects).toEqual([expect.objectContaining({ symbol: "BHP", kind: "repeated" })]);
  });
});

describe("a day on which symbols cannot be used any more", () => {
  it("is compared with the symbols that had a bar the session before", async () => {
    const runtime = createTestRuntime();
    const before = symbols(200);
    await storeSummary(runtime.store, WEEK_BEFORE.at(-1) ?? "", withOutcome("fetched", before));
    const { summary } = await judged(runtime, before.slice(11), withOutcome("notFound", before.slice(0, 11)));
    expect(summary.quality?.findings).toEqual([
      expect.objectContaining({ gate: "unusable", stops: true, detail: expect.stringContaining("Of 200 symbols") }),
    ]);
  });

  it("does not count those that are still to be fetched, or that do not trade", async () => {
    const runtime = createTestRuntime();
    const before = symbols(200);
    await storeSummary(runtime.store, WEEK_BEFORE.at(-1) ?? "", withOutcome("fetched", before));
    const { summary } = await judged(runtime, before.slice(40), [
      ...withOutcome("failed", before.slice(0, 20)),
      ...withOutcome("noTrade", before.slice(20, 40)),
    ]);
    expect(summary.quality?.findings).toEqual([]);
  });
});

describe("a day on which a good part of the market is split", () => {
  it("is stopped", async () => {
    const many = symbols(200).map((symbol, index) =>
      plainBar(symbol, RUN_DATE, 0, { splitRatio: index < 5 ? 4 : null }),
    );
    const { summary } = await judged(createTestRuntime(), many);
    expect(summary.quality?.findings).toEqual([expect.objectContaining({ gate: "splits", stops: true })]);
  });
});

describe("a day without any of the large companies", () => {
  it("is failed, as a closure or an outage is suspected", async () => {
    const runtime = createTestRuntime();
    const day = await judged(runtime, ["AAA"], withOutcome("noTrade", LARGE_COMPANIES));
    expect(day.gates).toEqual([["large-companies", true]]);
    expect(day.summary.status).toBe("failed");
    expect(day.digest.message).toContain("closure of the exchange or an outage is suspected");
  });

  it("passes where one of them traded, or where they are still to be fetched", async () => {
    const [bhp = "", ...others] = LARGE_COMPANIES;
    expect((await judged(createTestRuntime(), [bhp], withOutcome("noTrade", others))).gates).toEqual([]);
    const unfinished = await judged(createTestRuntime(), ["AAA"], withOutcome("failed", LARGE_COMPANIES));
    expect(unfinished.gates).toEqual([]);
    expect(unfinished.summary.status).toBe("partial");
  });
});

describe("a damaged day before", () => {
  it.each([
    ["summary", `runs/${BEFORE}.json`],
    ["file", `raw-data/${BEFORE}-batch-0.parquet`],
  ])("does not break the day's own summary: its %s is warned of and passed over", async (_, key) => {
    const runtime = createTestRuntime();
    await storeSummary(runtime.store, BEFORE, [fetchedReport("BHP")]);
    await storeFile(runtime, { date: BEFORE }, [plainBar("BHP", BEFORE)]);
    const damaged = new TextEncoder().encode("{");
    await runtime.store.put(key, damaged);
    const day = await judged(runtime, ["BHP"]);
    expect(day.summary).toMatchObject({ status: "complete", rows: 1 });
    expect(runtime.logs).toContainEqual(expect.stringMatching(`^warn ${key} is damaged`));
    expect(runtime.store.objects.get(key)).toEqual(damaged);
  });
});
