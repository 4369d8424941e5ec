import { describe, expect, it } from "vitest";
import type { DateRange } from "../../aggregator/catalog.ts";
import { coverageBounds, coverageDays } from "../../aggregator/day-coverage.ts";
import type { RunRecord } from "../../aggregator/run-record.ts";
import type { RunStatus } from "../../domain/run-summary.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";

function run(status: RunStatus, unfinished: readonly string[] = []): RunRecord {
  const counts = { fetched: 2, noTrade: 0, notFound: 0, invalid: 0, failed: unfinished.length, deferred: 0 };
  const times = { startedAt: "2024-05-31T09:30:00Z", finishedAt: "2024-05-31T09:40:00Z" };
  return { status, ...times, listed: 2, rows: 2, counts, unfinished: [...unfinished], sums: "" };
}

/** @param rows the bars that the files hold, by date. */
function daysOf(
  range: DateRange,
  runs: Readonly<Record<string, RunRecord>>,
  rows: Readonly<Record<string, number>>,
  lastSettled = "2024-06-28",
): unknown[] {
  const catalog = {
    range,
    runs: new Map(Object.entries(runs)),
    unrecorded: new Map(),
    backfills: [],
    manifest: undefined,
    damaged: [],
    mark: "",
  };
  const plan = { rows: new Map(Object.entries(rows)) };
  return coverageDays({ catalog, plan, calendar: createTradingCalendar(), lastSettled }).map(
    ({ date, status, rows: count, unfinished }) => [date, status, count, unfinished],
  );
}

/** A weekend lies in it, and on Monday the 10th a holiday. */
const WEEK = { from: "2024-06-06", to: "2024-06-12" };

describe("the days of a range", () => {
  it("are its trading days, each as its run says, and missing where there is neither run nor bar", () => {
    const runs = { "2024-06-06": run("complete"), "2024-06-07": run("partial", ["XYZ"]), "2024-06-11": run("failed") };
    expect(daysOf(WEEK, runs, { "2024-06-06": 2, "2024-06-07": 1, "2024-06-12": 5 })).toEqual([
      ["2024-06-06", "complete", 2, 0],
      ["2024-06-07", "partial", 1, 1],
      ["2024-06-11", "failed", 0, 0],
      ["2024-06-12", "unrecorded", 5, 0],
    ]);
  });

  it("on which a run found the market closed are none of them, and those with bars are, whatever the calendar says", () => {
    const range = { from: "2024-06-07", to: "2024-06-09" };
    expect(daysOf(range, { "2024-06-07": run("market-closed") }, { "2024-06-08": 3 })).toEqual([
      ["2024-06-08", "unrecorded", 3, 0],
    ]);
    expect(daysOf(range, { "2024-06-07": run("market-closed") }, { "2024-06-07": 3 })).toEqual([
      ["2024-06-07", "unrecorded", 3, 0],
    ]);
  });

  it("that are not settled are not missing, and count where they are stored", () => {
    expect(daysOf({ from: "2024-06-06", to: "2024-06-30" }, {}, { "2024-06-13": 1 }, "2024-06-06")).toEqual([
      ["2024-06-06", "missing", 0, 0],
      ["2024-06-13", "unrecorded", 1, 0],
    ]);
    expect(daysOf({ from: "2024-06-11", to: "2024-06-14" }, {}, {}, "2024-06-06")).toEqual([]);
  });

  it("go from the first stored day to the last where no range is asked for", () => {
    const runs = { "2024-06-05": run("complete"), "2024-06-07": run("failed"), "2024-06-11": run("market-closed") };
    expect(daysOf(null, runs, { "2024-06-05": 2 })).toEqual([
      ["2024-06-05", "complete", 2, 0],
      ["2024-06-06", "missing", 0, 0],
      ["2024-06-07", "failed", 0, 0],
    ]);
    expect(daysOf(null, {}, {})).toEqual([]);
    expect(coverageBounds({ range: null, runs: new Map() }, { rows: new Map() })).toBeNull();
    expect(coverageBounds({ range: WEEK, runs: new Map() }, { rows: new Map() })).toEqual(WEEK);
  });
});
