import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Bar, checkBar, type UncheckedBar } from "../../domain/bar.ts";

const BAR: Bar = {
  symbol: "BHP",
  date: "2024-05-31",
  open: 44.1,
  high: 44.95,
  low: 43.8,
  close: 44.5,
  adjustedClose: 42.61,
  volume: 12_345_678,
  dividend: null,
  splitRatio: null,
  fetchTimestamp: 1_717_147_800_000,
  batchNumber: 0,
};

function reasonOf(changes: Partial<UncheckedBar>): string | undefined {
  const check = checkBar({ ...BAR, ...changes });
  return check.valid ? undefined : check.reason;
}

/** A bar that traded at one price. */
function at(price: number): Partial<UncheckedBar> {
  return { open: price, high: price, low: price, close: price };
}

describe("a bar that holds", () => {
  it("comes back with every value as it was", () => {
    const full: Bar = { ...BAR, dividend: 1.1, splitRatio: 0.1 };
    expect(checkBar(full)).toEqual({ valid: true, bar: full });
  });

  it.each<[string, Partial<UncheckedBar>]>([
    ["one price all day", at(44.5)],
    ["the smallest price", at(Number.MIN_VALUE)],
    ["an open at the high and a close at the low", { open: 44.95, close: 43.8 }],
    ["an open at the low and a close at the high", { open: 43.8, close: 44.95 }],
    ["no trade", { volume: 0 }],
    ["the largest volume a number counts exactly", { volume: Number.MAX_SAFE_INTEGER }],
    ["no adjusted close", { adjustedClose: null }],
    ["an adjusted close far from the close", { adjustedClose: 0.0001 }],
    ["a dividend", { dividend: 0.005 }],
    ["a consolidation", { splitRatio: 0.01 }],
    ["the first batch", { batchNumber: 0 }],
    ["no batch", { batchNumber: null }],
    ["the first instant", { fetchTimestamp: 0 }],
  ])("may have %s", (_, changes) => {
    expect(reasonOf(changes)).toBeUndefined();
  });

  it("may have any prices between its low and its high", () => {
    const prices = fc.array(fc.double({ min: 1e-4, max: 1e6, noNaN: true }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(prices, (four) => {
        const [low = 1, open = 1, close = 1, high = 1] = four.toSorted((a, b) => a - b);
        expect(reasonOf({ open, high, low, close })).toBeUndefined();
        expect(reasonOf({ open: close, high, low, close: open })).toBeUndefined();
      }),
    );
  });
});

describe("a tolerance of a millionth", () => {
  it.each<[string, Partial<UncheckedBar>]>([
    ["an open above the high", { ...at(100), open: 100.00009 }],
    ["a close above the high", { ...at(100), close: 100.00009 }],
    ["an open below the low", { ...at(100), open: 99.99991 }],
    ["a close below the low", { ...at(100), close: 99.99991 }],
    ["a low above the high", { ...at(100), low: 100.00009 }],
    ["an open above the high of a stock of a tenth of a cent", { ...at(0.001), open: 0.0010000009 }],
    ["an open above the high of a stock of 50,000 dollars", { ...at(50_000), open: 50_000.04 }],
  ])("lets %s pass", (_, changes) => {
    expect(reasonOf(changes)).toBeUndefined();
  });

  it.each<[string, Partial<UncheckedBar>, string]>([
    ["an open above the high", { ...at(100), open: 100.00011 }, "open 100.00011 is above high 100"],
    ["a close above the high", { ...at(100), close: 100.00011 }, "close 100.00011 is above high 100"],
    ["an open below the low", { ...at(100), open: 99.99989 }, "open 99.99989 is below low 100"],
    ["a close below the low", { ...at(100), close: 99.99989 }, "close 99.99989 is below low 100"],
    ["a low above the high", { ...at(100), low: 100.00011 }, "low 100.00011 is above high 100"],
    [
      "an open above the high of a stock of a tenth of a cent",
      { ...at(0.001), open: 0.0010000011 },
      "open 0.0010000011 is above high 0.001",
    ],
    [
      "an open above the high of a stock of 50,000 dollars",
      { ...at(50_000), open: 50_000.06 },
      "open 50000.06 is above high 50000",
    ],
  ])("does not excuse %s", (_, changes, reason) => {
    expect(reasonOf(changes)).toBe(reason);
  });
});

describe("a price", () => {
  const fields = ["open", "high", "low", "close"] as const;
  const noPrices: [string, unknown, string][] = [
    ["zero", 0, "0"],
    ["below zero", -44.5, "-44.5"],
    ["not a number", Number.NaN, "NaN"],
    ["infinite", Infinity, "Infinity"],
    ["infinitely low", -Infinity, "-Infinity"],
    ["text", "44.5", '"44.5"'],
    ["null", null, "null"],
    ["missing", undefined, "undefined"],
    ["a bigint", 44n, "44"],
    ["true", true, "true"],
  ];

  it.each(fields.flatMap((field) => noPrices.map(([what, value, quoted]) => ({ field, what, value, quoted }))))(
    "$field is refused where it is $what, and the reason quotes it",
    ({ field, value, quoted }) => {
      expect(reasonOf({ [field]: value })).toBe(`${field} is ${quoted}, not a price above 0`);
    },
  );
});

describe("a volume", () => {
  it.each([
    ["below zero", -1, "-1"],
    ["a fraction", 1.5, "1.5"],
    ["not a number", Number.NaN, "NaN"],
    ["infinite", Infinity, "Infinity"],
    ["more than a number counts exactly", 2 ** 53, "9007199254740992"],
    ["text", "100", '"100"'],
    ["null", null, "null"],
    ["missing", undefined, "undefined"],
  ])("is refused where it is %s", (_, volume, quoted) => {
    expect(reasonOf({ volume })).toBe(`volume is ${quoted}, not a whole number of shares`);
  });
});

describe("an amount that may be null", () => {
  const fields = [
    ["adjustedClose", "adjusted close"],
    ["dividend", "dividend"],
    ["splitRatio", "split ratio"],
  ] as const;
  const values: [unknown, string][] = [
    [0, "0"],
    [-0.5, "-0.5"],
    [Number.NaN, "NaN"],
    [Infinity, "Infinity"],
    ["0.5", '"0.5"'],
    [undefined, "undefined"],
  ];

  it.each(fields.flatMap(([field, name]) => values.map(([value, quoted]) => ({ field, name, value, quoted }))))(
    "$field is refused where it is $quoted",
    ({ field, name, value, quoted }) => {
      expect(reasonOf({ [field]: value })).toContain(`${name} is ${quoted}, not `);
    },
  );
});

describe("what the fetch adds", () => {
  it.each<[string, Partial<UncheckedBar>, string]>([
    ["an instant before 1970", { fetchTimestamp: -1 }, "-1"],
    ["a fraction of a millisecond", { fetchTimestamp: 0.5 }, "0.5"],
    ["no instant", { fetchTimestamp: null }, "null"],
    ["a batch below 0", { batchNumber: -1 }, "-1"],
    ["half a batch", { batchNumber: 0.5 }, "0.5"],
    ["a batch as text", { batchNumber: "0" }, '"0"'],
  ])("is refused where it is %s", (_, changes, quoted) => {
    expect(reasonOf(changes)).toContain(`is ${quoted}`);
  });
});

describe("the reason", () => {
  it("stays short, however long the value", () => {
    expect(reasonOf({ close: "9".repeat(100_000) })?.length).toBeLessThan(120);
  });

  it("names the first field that is wrong", () => {
    expect(reasonOf({ open: 0, volume: -1 })).toContain("open");
  });
});
