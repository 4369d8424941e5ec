import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Column } from "../../aggregator/column.ts";
import { DECIDING_COLUMNS, laterOf } from "../../aggregator/deciding-columns.ts";
import { type BarStore, barOf, DAY, openBarStore } from "../support/bar-store.ts";

describe("of bars that were fetched in the same moment, in no batch", () => {
  let opened: BarStore;

  beforeEach(async () => {
    opened = await openBarStore();
    const closes = [1, 2, 3];
    const files = closes.map((close, number) => opened.putBars([barOf("BHP", { close, batchNumber: null })], number));
    await opened.putSummary(await Promise.all(files), ["BHP"]);
  });
  afterEach(() => opened.close());

  /** What the loads and a query give, 20 times each; with all columns, or those that do not decide alone. */
  async function answers(): Promise<unknown[]> {
    const { aggregator } = opened;
    const found: unknown[] = [];
    for (let call = 0; call < 20; call += 1) {
      found.push((await aggregator.loadDate(DAY)).toRows().map(({ close }) => close));
      found.push((await aggregator.loadDateRange(DAY, DAY)).toRows().map(({ close }) => close));
      found.push((await aggregator.loadDateRange(DAY, DAY, { columns: ["close"] })).toRows().map(({ close }) => close));
      found.push((await aggregator.sql("SELECT close FROM bars")).toRows().map(({ close }) => close));
    }
    return found;
  }

  /** So that what is read is in compacted files alone. */
  async function removeRaw(): Promise<void> {
    for (const { key } of await opened.store.list("raw-data/")) await opened.store.remove(key);
  }

  it("the same one counts in every load and query", async () => {
    expect(new Set((await answers()).map(String))).toEqual(new Set(["3"]));
  });

  it("and in the file that a date is merged into", async () => {
    expect((await opened.aggregator.mergeDailyBatches(DAY)).rows).toBe(1);
    await removeRaw();
    expect(new Set((await answers()).map(String))).toEqual(new Set(["3"]));
  });

  it("and in compacted files", async () => {
    await opened.aggregator.compact();
    await removeRaw();
    expect(new Set((await answers()).map(String))).toEqual(new Set(["3"]));
  });
});

describe("the columns that decide", () => {
  /** Two rows that are alike but for one column. */
  function differing(name: string, values: readonly (number | null)[]) {
    const same: Column = { kind: "number", values: Float64Array.of(1, 1) };
    const other: Column = {
      kind: "number",
      values: Float64Array.from(values, (value) => value ?? Number.NaN),
      nulls: Uint8Array.from(values, (value) => (value === null ? 1 : 0)),
    };
    const later = laterOf(new Map(DECIDING_COLUMNS.map((each) => [each, each === name ? other : same])));
    return [later?.(0, 1), later?.(1, 0)];
  }

  it.each(DECIDING_COLUMNS)("tell two bars apart by %s alone, a null less than any number", (name) => {
    expect(differing(name, [2, 1])).toEqual([true, false]);
    expect(differing(name, [null, 1])).toEqual([false, true]);
    expect(differing(name, [Number.NaN, 1])).toEqual([true, false]);
    expect(differing(name, [null, Number.NaN])).toEqual([false, true]);
    expect(differing(name, [null, null])).toEqual([false, false]);
  });

  it("do not where one was not read", () => {
    expect(laterOf(new Map())).toBeUndefined();
  });
});
