import { describe, expect, it } from "vitest";
import type { Bar } from "../../domain/bar.ts";
import { type DayEvidence, dayEvidence, judgeDay, LARGE_COMPANIES } from "../../lambdas/run-summary/day-gates.ts";

const IN_ORDER: DayEvidence = {
  traded: 1600,
  tradedBefore: Array.from({ length: 20 }, () => 1600),
  repeated: 1,
  jumped: 0,
  largeListed: 10,
  largeTraded: 10,
};

function judge(change: Partial<DayEvidence>): string[] {
  return judgeDay({ ...IN_ORDER, ...change }).map(({ gate, stops }) => `${gate} ${stops ? "stops" : "warns"}`);
}

function sessions(...counts: number[]): Partial<DayEvidence> {
  return { tradedBefore: counts };
}

const READ_AGAIN =
  "read the sessions again when it has recovered: asx catch-up --reread, or asx execute --catch-up --reread --again; " +
  "with --date of this day once it lies over five sessions back.";

describe("a day in order", () => {
  it("has no findings", () => {
    expect(judgeDay(IN_ORDER)).toEqual([]);
  });
});

describe("the gate of coverage", () => {
  it.each([
    [1360, []],
    [1359, ["coverage warns"]],
    [1200, ["coverage warns"]],
    [1199, ["coverage stops"]],
    [0, ["coverage stops"]],
    [3000, []],
  ])("of 1600 usual symbols: %i traded", (traded, expected) => {
    expect(judge({ traded })).toEqual(expected);
  });

  it("needs five sessions", () => {
    expect(judge({ traded: 900, ...sessions(1600, 1600, 1600, 1600) })).toEqual([]);
    expect(judge({ traded: 900, ...sessions(1600, 1600, 1600, 1600, 1600) })).toEqual(["coverage stops"]);
  });

  it("takes the median, which two bad sessions of five do not move", () => {
    expect(judge({ traded: 1100, ...sessions(10, 1600, 1500, 0, 1700) })).toEqual(["coverage stops"]);
    expect(judge({ traded: 1125, ...sessions(10, 1600, 1500, 0, 1700) })).toEqual(["coverage warns"]);
  });

  it("takes the middle of two where the sessions are even in number", () => {
    const six = sessions(1000, 1000, 1000, 1100, 1100, 1100);
    expect(judge({ traded: 788, ...six })).toEqual(["coverage warns"]);
    expect(judge({ traded: 787, ...six })).toEqual(["coverage stops"]);
  });

  it("looks at the last twenty", () => {
    const older = Array.from({ length: 30 }, () => 3000);
    expect(judge({ tradedBefore: [...older, ...IN_ORDER.tradedBefore] })).toEqual([]);
  });

  it("leaves a short list alone", () => {
    expect(judge({ traded: 10, ...sessions(99, 99, 99, 99, 99) })).toEqual([]);
    expect(judge({ traded: 10, ...sessions(100, 100, 100, 100, 100) })).toEqual(["coverage stops"]);
  });

  it("says the numbers, the threshold and what to do", () => {
    expect(judgeDay({ ...IN_ORDER, traded: 1199 })[0]?.detail).toBe(
      "1199 symbols traded, less than 75 % of 1600, the median of the last 20 sessions. The provider lacks part of the " +
        "market, or the exchange had an outage: " +
        READ_AGAIN,
    );
    expect(judgeDay({ ...IN_ORDER, traded: 1359 })[0]?.detail).toMatch(/less than 85 % of 1600.*The day passes/);
  });
});

describe("the gate of repeated rows", () => {
  it.each([
    [80, []],
    [81, ["repeated stops"]],
    [1600, ["repeated stops"]],
  ])("of 1600 rows: %i", (repeated, expected) => {
    expect(judge({ repeated })).toEqual(expected);
  });

  it("leaves a short list alone", () => {
    const few = sessions(100);
    expect(judge({ traded: 99, repeated: 99, ...few })).toEqual([]);
    expect(judge({ traded: 100, repeated: 5, ...few })).toEqual([]);
    expect(judge({ traded: 100, repeated: 6, ...few })).toEqual(["repeated stops"]);
  });

  it("says the numbers, the threshold and what to do", () => {
    expect(judgeDay({ ...IN_ORDER, repeated: 81 })[0]?.detail).toBe(
      "81 of 1600 symbols that traded have the prices and the volume of the session before, more than 5 %. " +
        "The provider serves old bars under this date: " +
        READ_AGAIN,
    );
  });
});

describe("the gate of jumps", () => {
  it.each([
    [32, []],
    [33, ["jumps stops"]],
  ])("of 1600 rows: %i", (jumped, expected) => {
    expect(judge({ jumped })).toEqual(expected);
  });

  it("leaves a short list alone", () => {
    expect(judge({ traded: 99, jumped: 99, ...sessions() })).toEqual([]);
    expect(judge({ traded: 100, jumped: 3, ...sessions() })).toEqual(["jumps stops"]);
  });

  it("says the numbers, the threshold and what to do", () => {
    expect(judgeDay({ ...IN_ORDER, jumped: 33 })[0]?.detail).toMatch(/^33 of 1600 .* more than 2 %\..*compare some/);
  });
});

describe("the gate of large companies", () => {
  it.each([
    [10, 1, []],
    [10, 0, ["large-companies stops"]],
    [5, 0, ["large-companies stops"]],
    [4, 0, []],
    [0, 0, []],
  ])("%i listed, %i traded", (largeListed, largeTraded, expected) => {
    expect(judge({ largeListed, largeTraded })).toEqual(expected);
  });

  it("suspects a closure, and says what to do", () => {
    expect(judgeDay({ ...IN_ORDER, largeListed: 9, largeTraded: 0 })[0]?.detail).toBe(
      "None of the 9 listed of BHP, CBA, CSL, NAB, WBC, WES, TLS, MQG, RIO, WOW traded. A closure of the exchange or an " +
        "outage is suspected: configure the date as closed if it was; if not, " +
        READ_AGAIN,
    );
  });
});

describe("the gate of symbols that cannot be used any more", () => {
  it.each([
    [1600, 16, []],
    [1600, 17, ["unusable warns"]],
    [1600, 80, ["unusable warns"]],
    [1600, 81, ["unusable stops"]],
    [99, 99, []],
    [0, 0, []],
  ])("of %i with a bar the session before: %i", (hadBar, unusable, expected) => {
    expect(judge({ hadBar, unusable })).toEqual(expected);
  });
});

describe("the gate of splits", () => {
  it.each([
    [32, []],
    [33, ["splits stops"]],
  ])("of 1600 rows: %i", (split, expected) => {
    expect(judge({ split })).toEqual(expected);
  });

  it("leaves a short list alone", () => {
    expect(judge({ traded: 99, tradedBefore: [], split: 99 })).toEqual([]);
  });
});

describe("a day with several faults", () => {
  it("has a finding for each", () => {
    expect(judge({ traded: 1000, repeated: 500, jumped: 300, largeTraded: 0 })).toEqual([
      "coverage stops",
      "repeated stops",
      "jumps stops",
      "large-companies stops",
    ]);
  });
});

describe("the evidence of a day", () => {
  function bar(symbol: string, change: Partial<Bar> = {}): Bar {
    return {
      symbol,
      date: "2024-05-31",
      open: 1,
      high: 1,
      low: 1,
      close: 1,
      adjustedClose: 1,
      volume: 100,
      dividend: null,
      splitRatio: null,
      fetchTimestamp: 1,
      batchNumber: 0,
      ...change,
    };
  }
  const bars = [bar("BHP"), bar("CBA", { volume: 0 }), bar("RIO", { close: 1.1, high: 1.1 }), bar("XYZ"), bar("WOW")];

  it("counts rows with volume only", () => {
    const previousBars = new Map(["BHP", "CBA", "RIO", "NAB"].map((symbol) => [symbol, bar(symbol, { date: "" })]));
    previousBars.set("CBA", bar("CBA", { volume: 0 }));

    expect(
      dayEvidence({
        bars,
        previousBars,
        tradedBefore: [7, 8],
        listed: ["BHP", "CBA", "RIO", "NAB", "XYZ"],
        suspects: [
          { symbol: "BHP", kind: "price-jump", detail: "" },
          { symbol: "CBA", kind: "price-jump", detail: "" },
          { symbol: "RIO", kind: "unapplied-split", detail: "" },
          { symbol: "XYZ", kind: "implausible-volume", detail: "" },
          { symbol: "XYZ", kind: "repeated", detail: "" },
        ],
      }),
    ).toEqual({ traded: 4, tradedBefore: [7, 8], repeated: 1, jumped: 2, largeListed: 4, largeTraded: 2 });
  });

  it("of an empty day is judged a closure or an outage", () => {
    const evidence = dayEvidence({
      bars: [],
      previousBars: new Map(),
      tradedBefore: [],
      listed: LARGE_COMPANIES,
      suspects: [],
    });

    expect(judgeDay(evidence)).toMatchObject([{ gate: "large-companies", stops: true }]);
  });
});
