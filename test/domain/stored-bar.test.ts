import { describe, expect, it } from "vitest";
import type { Bar } from "../../domain/bar.ts";
import { BAR_COLUMNS } from "../../domain/bar-columns.ts";
import { barOfRow, type StoredRow } from "../../domain/stored-bar.ts";

const ROW: StoredRow = {
  symbol: "BHP",
  date: "2024-05-31",
  open: 44.1,
  high: 44.95,
  low: 43.8,
  close: 44.5,
  adjusted_close: 42.61,
  volume: 12_345_678n,
  dividend: 1.1,
  split_ratio: 2,
  fetch_timestamp: 1_717_147_800_000,
  batch_number: 7,
};

const BAR: Bar = {
  symbol: "BHP",
  date: "2024-05-31",
  open: 44.1,
  high: 44.95,
  low: 43.8,
  close: 44.5,
  adjustedClose: 42.61,
  volume: 12_345_678,
  dividend: 1.1,
  splitRatio: 2,
  fetchTimestamp: 1_717_147_800_000,
  batchNumber: 7,
};

function without(...columns: string[]): StoredRow {
  return Object.fromEntries(Object.entries(ROW).filter(([name]) => !columns.includes(name)));
}

describe("the columns", () => {
  it("are those of the design, in its order", () => {
    expect(BAR_COLUMNS.map(({ name, type, nullable }) => `${name} ${type}${nullable ? " nullable" : ""}`)).toEqual([
      "symbol UTF8",
      "date DATE",
      "open DOUBLE",
      "high DOUBLE",
      "low DOUBLE",
      "close DOUBLE",
      "adjusted_close DOUBLE nullable",
      "volume INT64",
      "dividend DOUBLE nullable",
      "split_ratio DOUBLE nullable",
      "fetch_timestamp TIMESTAMP_MILLIS",
      "batch_number INT32 nullable",
    ]);
  });

  it("hold every field of a bar once", () => {
    expect(BAR_COLUMNS.map(({ field }) => field).toSorted()).toEqual(Object.keys(BAR).toSorted());
  });
});

describe("a stored row", () => {
  it("is the bar that was written", () => {
    expect(barOfRow(ROW, "2024-05-31")).toEqual(BAR);
  });

  it("may hold its integers as numbers or as bigints", () => {
    const bigints = { ...ROW, volume: 12_345_678n, fetch_timestamp: 1_717_147_800_000n, batch_number: 7n };
    const numbers = { ...ROW, volume: 12_345_678, fetch_timestamp: 1_717_147_800_000, batch_number: 7 };
    expect(barOfRow(bigints, "2024-05-31")).toEqual(BAR);
    expect(barOfRow(numbers, "2024-05-31")).toEqual(BAR);
  });

  it("of an older file without the nullable columns has null there", () => {
    const older = without("adjusted_close", "dividend", "split_ratio", "batch_number");
    expect(barOfRow(older, "2024-05-31")).toEqual({
      ...BAR,
      adjustedClose: null,
      dividend: null,
      splitRatio: null,
      batchNumber: null,
    });
  });

  it("may have columns nobody knows", () => {
    expect(barOfRow({ ...ROW, note: "x" }, "2024-05-31")).toEqual(BAR);
  });

  it.each<[string, StoredRow, RegExp]>([
    ["without a symbol", without("symbol"), /string/],
    ["with a symbol that is no code", { ...ROW, symbol: "BHP.AX" }, /ASX code/],
    ["of another date", { ...ROW, date: "2024-05-30" }, /BHP.*2024-05-30/],
    ["with a date that is no text", { ...ROW, date: 19_874 }, /BHP.*19874/],
    ["without a date", without("date"), /BHP.*undefined/],
    ["without a price", without("close"), /BHP: close is null/],
    ["without a volume", without("volume"), /BHP: volume is null/],
    ["without its instant", without("fetch_timestamp"), /BHP: fetch timestamp is null/],
    ["with a price of zero", { ...ROW, low: 0 }, /BHP: low is 0/],
    ["with a close above its high", { ...ROW, close: 45 }, /BHP: close 45 is above high 44.95/],
    ["with a volume below zero", { ...ROW, volume: -1n }, /BHP: volume is -1/],
    ["with a volume beyond what a number counts exactly", { ...ROW, volume: 2n ** 53n + 1n }, /BHP: volume is 9007/],
    ["with text for a number", { ...ROW, open: "44.1" }, /BHP: open is "44.1"/],
  ])("is refused %s, and the error says so", (_, row, message) => {
    expect(() => barOfRow(row, "2024-05-31")).toThrow(message);
  });
});
