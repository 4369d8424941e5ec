/** How days stand by runs and backfills together. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Bar } from "../../domain/bar.ts";
import { historyKey } from "../../domain/object-keys.ts";
import { type BarStore, barOf, openBarStore } from "../support/bar-store.ts";
import { putBackfill } from "../support/history-store.ts";
import { storeSummary } from "../support/stored-summary.ts";

const SPAN = { from: "2024-01-02", to: "2024-01-05" };
const DATES = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"];

let stored: BarStore;
beforeEach(async () => {
  stored = await openBarStore();
});
afterEach(async () => {
  await stored.close();
});

function past(symbol: string, dates: readonly string[] = DATES): Bar[] {
  return dates.map((date) => barOf(symbol, { date }));
}

/** Status and symbols to fetch again of each day of the span, by every way of asking. */
async function days(): Promise<string[]> {
  const { aggregator } = stored;
  const { coverage } = await aggregator.loadDateRange(SPAN.from, SPAN.to);
  const lacking = await aggregator.missing(SPAN.from, SPAN.to);
  const listed = new Map((await aggregator.dates()).map((day) => [day.date, day]));
  expect(lacking.isNothing).toBe(coverage.isComplete);
  return coverage.days.map(({ date, status, unfinished }) => {
    if (status !== "missing") expect(listed.get(date)).toMatchObject({ status, unfinished });
    const symbols = lacking.partial.find((day) => day.date === date)?.symbols ?? [];
    expect(symbols).toHaveLength(status === "partial" ? unfinished : 0);
    return [status, ...symbols].join(" ");
  });
}

describe("a day without a run", () => {
  it("is complete where a complete backfill of the market is over it and has bars, and failed where it has none", async () => {
    await putBackfill(stored.store, { span: SPAN, batches: [past("BHP", DATES.toSpliced(2, 1))] });
    expect(await days()).toEqual(["complete", "complete", "failed", "complete"]);
    const { coverage } = await stored.aggregator.loadDateRange("2024-01-02", "2024-01-08");
    expect(coverage.missing).toEqual(["2024-01-08"]);
    expect(coverage.days.map(({ rows }) => rows)).toEqual([1, 1, 0, 1, 0]);
    expect(coverage.unverified).toEqual([]);
    expect(coverage.isComplete).toBe(false);
  });

  it("is failed where no file of that backfill can be read", async () => {
    await putBackfill(stored.store, { span: SPAN, batches: [past("BHP")] });
    await stored.store.put(historyKey({ ...SPAN, batchNumber: 0 }), new Uint8Array([1]));
    const { coverage } = await stored.aggregator.loadDateRange(SPAN.from, SPAN.to, { onBadFile: "skip" });
    expect([coverage.failed, coverage.skipped.length]).toEqual([DATES, 1]);
    const lacking = await stored.aggregator.missing(SPAN.from, SPAN.to);
    expect([lacking.failed, lacking.unreadable.map(({ date }) => date)]).toEqual([DATES, [null]]);
  });

  it("is failed where the market's symbols are settled at last, and it has no bar", async () => {
    await putBackfill(stored.store, {
      ...{ span: SPAN, others: { CBA: "failed" } },
      batches: [past("BHP", DATES.toSpliced(2, 1))],
    });
    expect(await days()).toEqual(Array.from(DATES, () => "partial CBA"));
    const later = { span: { from: DATES[0] ?? "", to: "2024-01-08" }, finishedAt: "2024-06-21T12:00:00.000Z" };
    await putBackfill(stored.store, { ...later, isNamed: true, batches: [past("CBA", DATES.toSpliced(2, 1))] });
    expect(await days()).toEqual(["complete", "complete", "failed", "complete"]);
  });

  it("is partial where that backfill is, until its symbols are settled by a later one", async () => {
    await putBackfill(stored.store, { span: SPAN, batches: [past("BHP")], others: { CBA: "failed", NAB: "deferred" } });
    expect(await days()).toEqual(Array.from(DATES, () => "partial CBA NAB"));
    const span = { from: "2024-01-03", to: "2024-01-04" };
    const later = { span, isNamed: true, finishedAt: "2024-06-21T12:00:00.000Z" };
    await putBackfill(stored.store, { ...later, batches: [past("CBA", ["2024-01-03"])] });
    expect(await days()).toEqual(["partial CBA NAB", "partial NAB", "partial NAB", "partial CBA NAB"]);
    await putBackfill(stored.store, { ...later, batches: [past("CBA", ["2024-01-03"])], others: { NAB: "noTrade" } });
    expect(await days()).toEqual(["partial CBA NAB", "complete", "complete", "partial CBA NAB"]);
  });

  it("is unrecorded where only symbols named by hand were asked for, and missing where they have no bar", async () => {
    await putBackfill(stored.store, { span: SPAN, isNamed: true, batches: [past("BHP", DATES.slice(0, 3))] });
    expect(await days()).toEqual(["unrecorded", "unrecorded", "unrecorded", "missing"]);
  });

  it("is missing where the backfill of the market gave no bar", async () => {
    await putBackfill(stored.store, { span: SPAN, batches: [], others: { BHP: "failed" } });
    expect(await days()).toEqual(["missing", "missing", "missing", "missing"]);
  });
});

describe("a day with a run", () => {
  async function putRun(status: "partial" | "failed", finishedAt = "2024-01-02T09:40:00.000Z"): Promise<void> {
    const date = "2024-01-02";
    const entry = await stored.putBars(status === "partial" ? past("BHP", [date]) : [], 0, date);
    const unfinished = status === "partial" ? ["CBA", "NAB"] : ["BHP", "CBA", "NAB"];
    await storeSummary(
      stored.store,
      date,
      [
        ...(status === "partial" ? [{ symbol: "BHP", outcome: "fetched" as const }] : []),
        ...unfinished.map((symbol) => ({ symbol, outcome: "failed" as const })),
      ],
      { batches: [entry], rows: entry.rows, status, finishedAt },
    );
  }

  it("has no symbol to fetch again that a later backfill settled, of the market or not", async () => {
    await putRun("partial");
    await putBackfill(stored.store, { span: SPAN, isNamed: true, batches: [past("CBA")] });
    expect((await days())[0]).toBe("partial NAB");
    await putBackfill(stored.store, { span: SPAN, isNamed: true, batches: [past("CBA")], others: { NAB: "notFound" } });
    expect((await days())[0]).toBe("complete");
  });

  it("has those to fetch again that an earlier one settled", async () => {
    await putRun("partial", "2024-06-20T12:00:01.000Z");
    await putBackfill(stored.store, { span: SPAN, batches: [past("BHP"), past("CBA"), past("NAB")] });
    expect(await days()).toEqual(["partial CBA NAB", "complete", "complete", "complete"]);
  });

  it("that failed is mended by newer bars of a backfill of the market alone", async () => {
    await putRun("failed");
    await putBackfill(stored.store, { span: SPAN, isNamed: true, batches: [past("BHP")] });
    expect((await days())[0]).toBe("failed");
    const later = past("BHP", DATES.slice(1));
    await putBackfill(stored.store, { span: SPAN, batches: [later], others: { CBA: "noTrade", NAB: "noTrade" } });
    expect((await days())[0]).toBe("failed");
    await putBackfill(stored.store, { span: SPAN, batches: [past("BHP")], others: { CBA: "noTrade", NAB: "failed" } });
    expect((await days())[0]).toBe("partial NAB");
    await putBackfill(stored.store, { span: SPAN, batches: [past("BHP"), past("CBA"), past("NAB")] });
    expect((await days())[0]).toBe("complete");
  });

  it("that failed has a symbol to fetch again that a later backfill of the market lacks", async () => {
    await putRun("failed");
    await putBackfill(stored.store, { span: SPAN, batches: [past("BHP"), past("CBA")] });
    expect((await days())[0]).toBe("partial NAB");
  });

  it("that failed stays so where a later backfill of the market has no bar of it", async () => {
    await putRun("failed");
    await putBackfill(stored.store, { span: SPAN, batches: [past("BHP", DATES.slice(1))], others: { CBA: "noTrade" } });
    expect((await days())[0]).toBe("failed");
  });
});
