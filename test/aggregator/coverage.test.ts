import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { Coverage, type CoverageDay, type DayStatus } from "../../aggregator/coverage.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";

const DISPLAY: unique symbol = Symbol.for("Jupyter.display");

function days(from: string, to: string, others: Record<string, DayStatus> = {}): CoverageDay[] {
  return createTradingCalendar()
    .tradingDays(from, to)
    .map((date) => ({ date, status: others[date] ?? "complete", rows: 1_800, unfinished: 0 }));
}

function coverage(from: string, to: string, others?: Record<string, DayStatus>): Coverage {
  return new Coverage({ from, to, days: days(from, to, others) });
}

describe("coverage", () => {
  const some = coverage("2024-01-02", "2024-05-31", { "2024-03-05": "partial", "2024-04-11": "missing" });

  it("says which days are not complete", () => {
    expect(String(some)).toBe(
      "2024-01-02 to 2024-05-31: 105 trading days, 103 complete, 1 partial (2024-03-05), 1 missing (2024-04-11)",
    );
    expect(some.partial).toEqual(["2024-03-05"]);
    expect(some.missing).toEqual(["2024-04-11"]);
    expect(some.failed).toEqual([]);
    expect(some.isComplete).toBe(false);
  });

  it("is complete where every day is", () => {
    const all = coverage("2024-01-02", "2024-05-31");
    expect(String(all)).toBe("2024-01-02 to 2024-05-31: 105 trading days, all complete");
    expect(all.isComplete).toBe(true);
    expect(String(coverage("2024-05-31", "2024-05-31"))).toBe("2024-05-31: 1 trading day, complete");
    expect(String(coverage("2024-06-01", "2024-06-02"))).toBe("2024-06-01 to 2024-06-02: no trading day");
  });

  it.each(["partial", "failed", "missing", "unrecorded"] as const)(
    "is not complete with a day that is %s",
    (status) => {
      const one = coverage("2024-05-30", "2024-05-31", { "2024-05-31": status });
      expect(one.isComplete).toBe(false);
      expect(one[status]).toEqual(["2024-05-31"]);
      expect(String(one)).toBe(`2024-05-30 to 2024-05-31: 2 trading days, 1 complete, 1 ${status} (2024-05-31)`);
    },
  );

  it("names five dates and counts the rest", () => {
    const missing: Record<string, DayStatus> = Object.fromEntries(
      days("2024-05-01", "2024-05-16").map(({ date }) => [date, "missing"]),
    );
    expect(String(coverage("2024-05-01", "2024-05-31", missing))).toBe(
      "2024-05-01 to 2024-05-31: 23 trading days, 11 complete, " +
        "12 missing (2024-05-01, 2024-05-02, 2024-05-03, 2024-05-06, 2024-05-07 and 7 more)",
    );
  });

  it("counts one date more than it names", () => {
    const told = String(
      coverage(
        "2024-05-06",
        "2024-05-13",
        Object.fromEntries(days("2024-05-06", "2024-05-13").map(({ date }) => [date, "failed"])),
      ),
    );
    expect(told).toMatch(/6 failed \(2024-05-06, .*2024-05-10 and 1 more\)$/);
  });

  it("tells of an empty store", () => {
    const empty = new Coverage({ from: null, to: null, days: [] });
    expect(String(empty)).toBe("no day is stored");
    expect(empty.isComplete).toBe(false);
    expect(empty.toTable().length).toBe(0);
  });

  it("names files left out, files that nothing vouches for, and a store out of reach", () => {
    const from = "2024-05-31";
    const parts = { from, to: from, days: days(from, from) };
    const skipped = [{ key: "raw-data/2024-05-31-batch-1.parquet", reason: "is cut off\nat <1,024> bytes" }];
    const told = new Coverage({
      ...parts,
      skipped,
      unverified: ["raw-data/2024-05-30-batch-0.parquet", "raw-data/2024-05-30-batch-1.parquet"],
      offlineSince: new Date("2024-06-01T00:00:00Z"),
    });
    expect(String(told).split("\n")).toEqual([
      "2024-05-31: 1 trading day, complete",
      "1 file left out: raw-data/2024-05-31-batch-1.parquet (is cut off at <1,024> bytes)",
      "2 files that no run summary or seal vouches for: raw-data/2024-05-30-batch-0.parquet, raw-data/2024-05-30-batch-1.parquet",
      "the store could not be reached: read from the cache as of 2024-06-01T00:00:00.000Z",
    ]);
    expect(new Coverage({ ...parts, skipped }).isComplete).toBe(false);
    expect(new Coverage({ ...parts, unverified: ["raw-data/a.parquet"] }).isComplete).toBe(false);
    expect(new Coverage({ ...parts, offlineSince: new Date(0) }).isComplete).toBe(true);
    expect(told.toHTML()).toContain("(is cut off at &lt;1,024&gt; bytes)<br>2 files");
  });

  it("is a table of its days", () => {
    expect(coverage("2024-05-30", "2024-05-31", { "2024-05-31": "partial" }).toTable().toRows()).toEqual([
      { date: "2024-05-30", status: "complete", rows: 1_800, unfinished: 0 },
      { date: "2024-05-31", status: "partial", rows: 1_800, unfinished: 0 },
    ]);
  });

  it("is shown in a console and a notebook by what it says", () => {
    expect(inspect(some)).toBe(String(some));
    const bundle: unknown = Reflect.apply(Reflect.get(some, DISPLAY), some, []);
    expect(bundle).toEqual({ "text/plain": String(some), "text/html": some.toHTML() });
    expect(some.toHTML()).toContain("<p>2 rows x 4 columns</p>");
    expect(coverage("2024-05-30", "2024-05-31").toHTML()).toBe(
      "<p>2024-05-30 to 2024-05-31: 2 trading days, all complete</p>",
    );
  });

  it("is its parts in JSON", () => {
    const one = coverage("2024-05-31", "2024-05-31");
    const { from, to } = one;
    expect(JSON.parse(JSON.stringify(one))).toEqual({
      from,
      to,
      isComplete: true,
      days: one.days,
      notSettled: [],
      withoutBars: [],
      skipped: [],
      unverified: [],
      notAdjusted: [],
      offlineSince: null,
      reusedCodes: [],
    });
  });
});
