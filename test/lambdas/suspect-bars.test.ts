import { describe, expect, it } from "vitest";
import type { Bar } from "../../domain/bar.ts";
import { type SuspectBar, suspectBars } from "../../lambdas/run-summary/suspect-bars.ts";

const BEFORE: Bar = {
  symbol: "BHP",
  date: "2024-05-30",
  open: 44,
  high: 45,
  low: 43,
  close: 44,
  adjustedClose: 44,
  volume: 1_000_000,
  dividend: null,
  splitRatio: null,
  fetchTimestamp: 1,
  batchNumber: 0,
};

/** A bar of the day after, at one price. */
function flatBar(price: number, change: Partial<Bar> = {}): Bar {
  const prices = { open: price, high: price, low: price, close: price };
  return { ...BEFORE, date: "2024-05-31", ...prices, volume: 2_000_000, ...change };
}

function judge(bar: Bar, before: Partial<Bar> | null = {}): SuspectBar[] {
  return suspectBars([bar], new Map(before === null ? [] : [[bar.symbol, { ...BEFORE, ...before }]]));
}

function kinds(bar: Bar, before: Partial<Bar> | null = {}): string[] {
  return judge(bar, before).map(({ kind }) => kind);
}

describe("a price jump", () => {
  it.each([
    ["50 times the close before", 50, ["price-jump"]],
    ["just less", 49.99, []],
    ["a fiftieth", 0.02, ["price-jump"]],
    ["just more", 0.020001, []],
    ["100 times", 100, ["price-jump"]],
    ["a hundredth", 0.01, ["price-jump"]],
    ["1000 times", 1000, ["price-jump"]],
  ])("is %s: %d", (_what, price, expected) => {
    expect(kinds(flatBar(price), { close: 1 })).toEqual(expected);
  });

  it("is seen in a single price", () => {
    expect(judge(flatBar(0.8, { high: 80 }), { close: 0.8 })).toEqual([
      {
        symbol: "BHP",
        kind: "price-jump",
        detail: "high 80 is 100 times the close 0.8 of 2024-05-30, with no split event: one of the two may be in cents",
      },
    ]);
  });

  it("is seen on both sides of a spell of wrong prices, and not within", () => {
    const closes = [0.8, 120, 101, 0.975]; // AXE from 2021-02-22 on, as Yahoo had it
    const seen = closes.slice(1).map((close, index) => kinds(flatBar(close), { close: closes[index] ?? 0 }));

    expect(seen).toEqual([["price-jump"], [], ["price-jump"]]);
  });

  it("is none with a split event that explains it", () => {
    expect(kinds(flatBar(110, { splitRatio: 0.01 }), { close: 1 })).toEqual([]);
  });

  it("stays one with a split event that does not", () => {
    expect(judge(flatBar(100, { splitRatio: 4 }), { close: 1 })).toMatchObject([
      { kind: "price-jump", detail: expect.stringContaining("a split event of 4 for 1 that does not explain it") },
    ]);
  });
});

describe("an unapplied split", () => {
  it.each([
    ["2 for 1", 44, 22],
    ["3 for 1", 45, 15.2],
    ["4 for 1", 44, 11.5],
    ["10 for 1", 44, 4.2],
    ["1 for 5", 2, 10.5],
    ["1 for 10", 1.53, 14.04],
    ["1 for 20, of a price of few ticks", 0.001, 0.021],
  ])("is doubted of %s: %d to %d", (_what, close, price) => {
    expect(kinds(flatBar(price), { close })).toEqual(["unapplied-split"]);
  });

  it.each([
    ["one tick up", 0.001, 0.002],
    ["one tick down", 0.002, 0.001],
    ["two ticks up", 0.001, 0.003],
    ["between the ratios", 44, 18],
    ["a usual move", 44, 48],
  ])("is not doubted of %s: %d to %d", (_what, close, price) => {
    expect(kinds(flatBar(price), { close })).toEqual([]);
  });

  it.each([
    [40, 22.23, []],
    [40, 22.22, ["unapplied-split"]],
    [40, 18.18, []],
    [40, 18.19, ["unapplied-split"]],
    [40, 14.82, []],
    [40, 14.81, ["unapplied-split"]],
  ])("has a tolerance of a tenth: %d to %d", (close, price, expected) => {
    expect(kinds(flatBar(price), { close })).toEqual(expected);
  });

  it("opens there: a price that gets there during the day is news", () => {
    expect(kinds(flatBar(0.23, { open: 0.13, low: 0.13 }), { close: 0.115 })).toEqual([]);
  });

  it.each([
    ["back to where it was", 0.23, 0.13],
    ["past the ratio", 0.23, 0.29],
    ["to the other side", 0.23, 0.0575],
  ])("stays there: a price that leaves during the day is news, %s", (_what, open, close) => {
    const range = { low: Math.min(open, close), high: Math.max(open, close) };

    expect(kinds(flatBar(close, { open, ...range }), { close: 0.115 })).toEqual([]);
  });

  it("says what was compared", () => {
    expect(judge(flatBar(11, { open: 11.2, high: 11.2 }))).toEqual([
      {
        symbol: "BHP",
        kind: "unapplied-split",
        detail:
          "open 11.2 and close 11 are 0.255 times and 0.25 times the close 44 of 2024-05-30, with no split event: a split may be missing",
      },
    ]);
  });

  it.each([
    ["the event's own ratio", 11, 4, []],
    ["a consolidation's", 430, 0.1, []],
    ["a stored close that is adjusted already", 44, 4, []],
    ["another ratio", 11, 2, ["unapplied-split"]],
    ["a split the wrong way round", 88, 2, ["unapplied-split"]],
  ])("with a split event: %s", (_what, price, splitRatio, expected) => {
    expect(kinds(flatBar(price, { splitRatio }))).toEqual(expected);
  });
});

describe("a repeated bar", () => {
  const same = { ...BEFORE, date: "2024-05-31", fetchTimestamp: 2, batchNumber: 1 };

  it("has all five values of the bar before", () => {
    expect(judge(same)).toEqual([
      {
        symbol: "BHP",
        kind: "repeated",
        detail: "open 44, high 45, low 43, close 44 and volume 1000000 are all those of 2024-05-30",
      },
    ]);
  });

  it.each(["open", "high", "low", "close", "volume"] as const)("is none with another %s", (field) => {
    expect(kinds({ ...same, [field]: same[field] + 0.5 })).toEqual([]);
  });

  it("is none without trades: a halted stock keeps its price", () => {
    expect(kinds(flatBar(44, { volume: 0 }), { ...flatBar(44), volume: 0 })).toEqual([]);
  });
});

describe("an implausible volume", () => {
  it.each([
    ["100 times the turnover before", 100_000_000, 1_000_000, ["implausible-volume"]],
    ["one share less", 99_999_999, 1_000_000, []],
    ["100 times a quiet day, taken for AUD 100,000", 10_000_000, 1, ["implausible-volume"]],
    ["one share less", 9_999_999, 1, []],
    ["after no trade at all", 10_000_000, 0, ["implausible-volume"]],
  ])("is %s", (_what, volume, volumeBefore, expected) => {
    expect(kinds(flatBar(1, { volume }), { close: 1, volume: volumeBefore })).toEqual(expected);
  });

  it("is above AUD 50 thousand million, whatever was before", () => {
    expect(kinds(flatBar(50, { volume: 1_000_000_000 }), null)).toEqual([]);
    expect(judge(flatBar(50, { volume: 1_000_000_001 }), null)).toEqual([
      {
        symbol: "BHP",
        kind: "implausible-volume",
        detail: "volume 1000000001 at 50 is AUD 50,000,000,050: above AUD 50,000,000,000, more than a symbol can trade",
      },
    ]);
  });

  it("is not blamed for a price that is too high", () => {
    expect(kinds(flatBar(4400))).toEqual(["price-jump"]);
  });

  it("is 0 where the price moved", () => {
    expect(kinds(flatBar(44, { volume: 0, high: 44.5 }), null)).toEqual(["implausible-volume"]);
    expect(kinds(flatBar(44, { volume: 0 }), null)).toEqual([]);
  });

  it("says what was compared", () => {
    expect(judge(flatBar(2, { volume: 80_000_000 }), { close: 2, volume: 100 })).toMatchObject([
      { detail: "volume 80000000 at 2 is AUD 160,000,000, against volume 100 and AUD 200 on 2024-05-30" },
    ]);
  });
});

describe("the bars of a day", () => {
  it("are doubted each by its own symbol, in their order, and stay as they are", () => {
    const bars = [flatBar(100, { symbol: "RIO" }), flatBar(100, { symbol: "AXE" }), flatBar(1, { symbol: "BHP" })];
    const copy = structuredClone(bars);
    const previous = new Map([
      ["AXE", { ...BEFORE, symbol: "AXE", close: 1 }],
      ["BHP", { ...BEFORE, close: 100 }],
    ]);

    expect(suspectBars(bars, previous).map(({ symbol, kind }) => [symbol, kind])).toEqual([
      ["AXE", "price-jump"],
      ["BHP", "price-jump"],
    ]);
    expect(bars).toEqual(copy);
  });

  it("can be doubted for two reasons", () => {
    expect(kinds(flatBar(100, { volume: 1_000_000_000 }), { close: 1 })).toEqual(["price-jump", "implausible-volume"]);
  });
});
