import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { listingPrefixes } from "../../stores/listing-prefixes.ts";

function batches(date: string, count: number): string[] {
  return Array.from({ length: count }, (_, batch) => `raw-data/${date}-batch-${batch}.parquet`);
}

/** The first days of a month, so many. */
function days(month: string, count: number): string[] {
  return Array.from({ length: count }, (_, day) => `${month}-${String(day + 1).padStart(2, "0")}`);
}

function months(...years: number[]): string[] {
  return years.flatMap((year) =>
    Array.from({ length: 12 }, (_, month) => `${year}-${String(month + 1).padStart(2, "0")}`),
  );
}

describe("the listings that show some keys", () => {
  it.each([
    ["no key", [], []],
    ["one key", ["runs/2024-05-31.json"], ["runs/2024-05-31.json"]],
    ["one key asked twice", ["runs/2024-05-31.json", "runs/2024-05-31.json"], ["runs/2024-05-31.json"]],
    ["the batches of a date", batches("2024-05-31", 22), ["raw-data/2024-05-31-batch-"]],
    [
      "the batches of two dates",
      [...batches("2024-05-31", 22), ...batches("2024-05-30", 22)],
      ["raw-data/2024-05-30-batch-", "raw-data/2024-05-31-batch-"],
    ],
    ["a month of batches", days("2024-05", 21).flatMap((date) => batches(date, 22)), ["raw-data/2024-05-"]],
    [
      "a year of batches, a month a page",
      months(2024).flatMap((month) => days(month, 21).flatMap((date) => batches(date, 22))),
      months(2024).map((month) => `raw-data/${month}-`),
    ],
    [
      "a year of run summaries, one page",
      months(2024).flatMap((month) => days(month, 21).map((date) => `runs/${date}.json`)),
      ["runs/2024-"],
    ],
    ["keys without a date, few", ["curated/a", "curated/b"], ["curated/a", "curated/b"]],
    ["keys without a date, many", ["c/x1", "c/x2", "c/x3", "c/x4"], ["c/x"]],
    [
      "keys of two folders",
      [...batches("2024-05-31", 5), "runs/2024-05-31.json"],
      ["raw-data/2024-05-31-batch-", "runs/2024-05-31.json"],
    ],
  ])("of %s", (_, keys, prefixes) => {
    expect(listingPrefixes(keys)).toEqual(prefixes);
  });

  it("are few for five years of batches", () => {
    const keys = months(2020, 2021, 2022, 2023, 2024).flatMap((month) =>
      days(month, 21).flatMap((date) => batches(date, 22)),
    );
    expect(listingPrefixes(keys)).toHaveLength(60);
  });

  it("show every key, whatever the keys are", () => {
    const part = fc.constantFrom("a", "b", "2024-05-31", "2024-05-30", "2023-01-02", "-batch-1", "x");
    const key = fc
      .array(fc.array(part, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 })
      .map((folders) => folders.map((parts) => parts.join("")).join("/"));
    fc.assert(
      fc.property(fc.array(key, { maxLength: 60 }), (keys) => {
        const prefixes = listingPrefixes(keys);
        expect(prefixes.length).toBeLessThanOrEqual(new Set(keys).size);
        for (const each of keys) expect(prefixes.some((prefix) => each.startsWith(prefix))).toBe(true);
      }),
    );
  });
});
