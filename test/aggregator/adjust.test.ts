import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Adjustment, BarRow } from "../../aggregator/index.ts";
import type { Bar } from "../../domain/bar.ts";
import { type ActionsAnswer, observeActions } from "../../domain/corporate-action.ts";
import { actionsKey } from "../../domain/object-keys.ts";
import { addDays, sydneyInstant } from "../../domain/trading-date.ts";
import { encodeActionsCsv } from "../../stores/actions-csv.ts";
import { type BarStore, barOf, openBarStore } from "../support/bar-store.ts";

let opened: BarStore;

beforeEach(async () => {
  opened = await openBarStore();
});
afterEach(() => opened.close());

const evening = (date: string): number => sydneyInstant(date, "19:30");

/** A bar whose prices are all one number, fetched on the evening of a date. */
function flatBar(symbol: string, date: string, price: number, fetched = date, values: Partial<Bar> = {}): Bar {
  const prices = { open: price, high: price, low: price, close: price, adjustedClose: price };
  const rest = { volume: 1_000, dividend: null, splitRatio: null, fetchTimestamp: evening(fetched) };
  return barOf(symbol, { date, ...prices, ...rest, ...values });
}

async function putBars(bars: readonly Bar[]): Promise<void> {
  for (const [date, ofDate] of Map.groupBy(bars, (bar) => bar.date)) {
    const entry = await opened.putBars(ofDate, 0, date);
    await opened.putSummary(
      [entry],
      ofDate.map(({ symbol }) => symbol),
      { date },
    );
  }
}

/** Stores actions as a run of that evening would have recorded them. */
async function putActions(answers: readonly ActionsAnswer[]): Promise<void> {
  const years = Map.groupBy(observeActions([], answers), ({ exDate }) => exDate.slice(0, 4));
  for (const [year, actions] of years) await opened.store.put(actionsKey(year), encodeActionsCsv(actions));
}

function seen(symbol: string, exDate: string, told: { dividend?: number; split?: number }, on = exDate): ActionsAnswer {
  return {
    ...{ symbol, span: { from: exDate, to: exDate }, answeredAt: evening(on) },
    dividends: new Map(told.dividend === undefined ? [] : [[exDate, told.dividend]]),
    splits: new Map(told.split === undefined ? [] : [[exDate, told.split]]),
  };
}

const [MON, TUE, WED, THU] = ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30"] as const;

/** A split 4:1 on Wednesday and 0.5 a share on Thursday, seen by bars that were fetched each on its evening. */
const SPLIT_AND_DIVIDEND = [
  flatBar("BHP", MON, 40, MON, { volume: 10 }),
  flatBar("BHP", TUE, 44, TUE, { volume: 11 }),
  flatBar("BHP", WED, 10, WED, { splitRatio: 4 }),
  flatBar("BHP", THU, 9.5, THU, { dividend: 0.5 }),
  flatBar("CBA", MON, 100),
  flatBar("CBA", THU, 101),
];

async function rows(adjust: Adjustment, columns?: (keyof BarRow)[]): Promise<Partial<BarRow>[]> {
  return (await opened.aggregator.loadAll({ adjust, columns })).toRows();
}

describe("loading with adjust", () => {
  it("none gives what is stored", async () => {
    await putBars(SPLIT_AND_DIVIDEND);
    expect(await rows("none")).toEqual((await opened.aggregator.loadAll()).toRows());
  });

  it("splits puts prices, volumes and dividends on the basis of the newest split", async () => {
    await putBars(SPLIT_AND_DIVIDEND);
    const bars = await opened.aggregator.loadAll({ adjust: "splits" });
    expect(Array.from(bars.close)).toEqual([10, 11, 10, 9.5, 100, 101]);
    expect(Array.from(bars.open)).toEqual(Array.from(bars.close));
    expect(Array.from(bars.volume)).toEqual([40, 44, 1_000, 1_000, 1_000, 1_000]);
    expect(bars.toRows().map(({ split_ratio }) => split_ratio)).toEqual([null, null, 4, null, null, null]);
    expect(bars.toRows().map(({ dividend }) => dividend)).toEqual([null, null, null, 0.5, null, null]);
    const adjusted = Array.from(bars.adjusted_close);
    expect(adjusted).toEqual([9.5, 10.45, 9.5, 9.5, 100, 101]);
  });

  it("gives the numbers of the worked example in the docs", async () => {
    await putBars(SPLIT_AND_DIVIDEND);
    const page = readFileSync(new URL("../../docs/adjusted-prices.md", import.meta.url), "utf8");
    const lines = [...page.matchAll(/^\| (2024-05-\d\d) \|(.*)\|$/gm)].map(([, date = "", cells = ""]) => [
      date,
      ...cells.split("|").map((cell) => (cell.trim() === "" ? null : Number(cell))),
    ]);
    const loads = await Promise.all(
      (["none", "splits", "all"] as const).map((adjust) => opened.aggregator.loadSymbols(["BHP"], { adjust })),
    );
    const [stored = [], splits = [], all = []] = loads.map((bars) => bars.toRows());
    expect(lines).toEqual(
      stored.map(({ date, close, volume, dividend, split_ratio }, index) => {
        const [onSplits, onAll] = [splits[index], all[index]];
        const factors = [close / (onSplits?.close ?? 0), (onAll?.close ?? 0) / (onSplits?.close ?? 0)];
        return [
          ...[date, close, volume, dividend, split_ratio, ...factors.map((factor) => Number(factor.toFixed(12)))],
          ...[onSplits?.close, onSplits?.volume, onAll?.close],
        ];
      }),
    );
  });

  it("all adjusts prices for dividends too, and volumes for splits alone", async () => {
    await putBars(SPLIT_AND_DIVIDEND);
    const bars = await opened.aggregator.loadAll({ adjust: "all" });
    expect(Array.from(bars.close)).toEqual([9.5, 10.45, 9.5, 9.5, 100, 101]);
    expect(Array.from(bars.adjusted_close)).toEqual(Array.from(bars.close));
    expect(Array.from(bars.volume)).toEqual([40, 44, 1_000, 1_000, 1_000, 1_000]);
  });

  it.each(["splits", "all"] as const)("%s gives the columns that were asked for, and no other", async (adjust) => {
    await putBars(SPLIT_AND_DIVIDEND);
    const bars = await opened.aggregator.loadAll({ adjust, columns: ["adjusted_close"] });
    expect(bars.names).toEqual(["symbol", "date", "adjusted_close"]);
    expect(Array.from(bars.adjusted_close)).toEqual([9.5, 10.45, 9.5, 9.5, 100, 101]);
    expect((await opened.aggregator.loadAll({ adjust, columns: [] })).names).toEqual(["symbol", "date"]);
  });

  it("takes factors from the whole store, whatever is loaded", async () => {
    await putBars(SPLIT_AND_DIVIDEND);
    const { aggregator } = opened;
    expect((await aggregator.loadDate(MON, { adjust: "all" })).toRows().map(({ close }) => close)).toEqual([9.5, 100]);
    const range = await aggregator.loadDateRange(TUE, WED, { adjust: "all", columns: ["close"] });
    expect(Array.from(range.close)).toEqual([10.45, 9.5]);
    const some = await aggregator.loadSymbols(["BHP"], { adjust: "splits", columns: ["close"] });
    expect(Array.from(some.close)).toEqual([10, 11, 10, 9.5]);
  });

  it("knows of a day without a bar by the recorded actions", async () => {
    await putBars([flatBar("BHP", MON, 40), flatBar("BHP", THU, 10)]);
    await putActions([seen("BHP", WED, { split: 4 }), seen("BHP", THU, { dividend: 0.5 })]);
    const bars = await opened.aggregator.loadAll({ adjust: "all", columns: ["close"] });
    expect(Array.from(bars.close)).toEqual([9.5, 10]);
  });

  it("takes the close before an ex-date from months before where the symbol did not trade since", async () => {
    await putBars([
      flatBar("BHP", "2023-11-01", 10),
      flatBar("BHP", THU, 9, THU, { dividend: 1 }),
      flatBar("CBA", WED, 20),
    ]);
    await putActions([seen("CBA", THU, { dividend: 1 })]);
    const bars = await opened.aggregator.loadAll({ adjust: "all", columns: ["close"] });
    expect(Array.from(bars.close)).toEqual([9, 9, 19]);
  });

  it("does not rescale a bar that was fetched after the split", async () => {
    await putBars([
      flatBar("BHP", MON, 10, WED),
      flatBar("BHP", TUE, 44),
      flatBar("BHP", WED, 11, WED, { splitRatio: 4 }),
    ]);
    expect(Array.from((await opened.aggregator.loadAll({ adjust: "splits" })).close)).toEqual([10, 11, 11]);
  });

  it("rounds volumes to whole shares, halves up", async () => {
    await putBars([
      ...[5, 15, 14].map((volume, index) => flatBar(["ABC", "ABD", "ABE"][index] ?? "", MON, 1, MON, { volume })),
      ...["ABC", "ABD", "ABE"].map((symbol) => flatBar(symbol, TUE, 10, TUE, { splitRatio: 0.1 })),
    ]);
    const { volume } = await opened.aggregator.loadDate(MON, { adjust: "splits" });
    expect(Array.from(volume)).toEqual([1, 2, 1]);
  });

  it("tells in the coverage which dividends are left out, of symbols and days that are loaded", async () => {
    await putBars([flatBar("BHP", MON, 1), flatBar("BHP", TUE, 0.5, TUE, { dividend: 2 }), flatBar("CBA", WED, 1)]);
    const why = `BHP ${TUE}: its dividend of 2 is not below the close before it, 1 on ${MON}`;
    const { coverage, close } = await opened.aggregator.loadAll({ adjust: "all" });
    expect([coverage.notAdjusted, Array.from(close)]).toEqual([[why], [1, 0.5, 1]]);
    expect(String(coverage)).toContain(`not adjusted for 1 dividend: ${why}`);
    const notTold = await Promise.all([
      opened.aggregator.loadAll({ adjust: "none" }),
      opened.aggregator.loadAll({ adjust: "splits", columns: ["close"] }),
      opened.aggregator.loadSymbols(["CBA"], { adjust: "all" }),
      opened.aggregator.loadDate(WED, { adjust: "all" }),
    ]);
    expect(notTold.flatMap((bars) => bars.coverage.notAdjusted)).toEqual([]);
  });

  it("sees actions that are recorded while it is open", async () => {
    await putBars([flatBar("BHP", MON, 40), flatBar("BHP", THU, 10)]);
    const closes = async () => Array.from((await opened.aggregator.loadAll({ adjust: "splits" })).close);
    expect(await closes()).toEqual([40, 10]);
    await putActions([seen("BHP", WED, { split: 4 })]);
    expect(await closes()).toEqual([10, 10]);
  });

  it("ends at a damaged file of actions that it names, or leaves it out and tells", async () => {
    await putBars(SPLIT_AND_DIVIDEND);
    await opened.store.put("actions/2024.csv", new TextEncoder().encode("nothing"));
    await expect(opened.aggregator.loadAll({ adjust: "all" })).rejects.toThrow("actions/2024.csv is damaged");
    await expect(opened.aggregator.actions()).rejects.toThrow("actions/2024.csv is damaged");
    const { coverage, close } = await opened.aggregator.loadAll({ adjust: "splits", onBadFile: "skip" });
    expect(Array.from(close)).toEqual([10, 11, 10, 9.5, 100, 101]);
    expect(coverage.skipped).toEqual([{ key: "actions/2024.csv", reason: expect.stringContaining("is damaged") }]);
  });

  it("refuses what it does not know", async () => {
    const adjust = JSON.parse('"dividends"');
    await expect(opened.aggregator.loadAll({ adjust })).rejects.toThrow('adjust is "dividends"');
  });

  it("of an empty store is nothing", async () => {
    const bars = await opened.aggregator.loadAll({ adjust: "all" });
    expect([bars.length, (await opened.aggregator.actions()).length]).toEqual([0, 0]);
  });
});

const DAYS = Array.from({ length: 15 }, (_, index) => addDays("2024-05-06", index));
const LAST = DAYS.length - 1;
const day = fc.integer({ min: 1, max: LAST });

/** The truth of a symbol, in its newest shares, and how many days late each of its bars and actions was asked for. */
const anySymbol = fc.record({
  closes: fc.array(fc.double({ min: 5, max: 50, noNaN: true }), { minLength: LAST + 1, maxLength: LAST + 1 }),
  split: fc.option(fc.record({ day, ratio: fc.constantFrom(2, 3, 0.1) })),
  dividends: fc.uniqueArray(fc.record({ day, share: fc.double({ min: 0.01, max: 0.3, noNaN: true }) }), {
    selector: (dividend) => dividend.day,
    maxLength: 3,
  }),
  delays: fc.array(fc.integer({ min: 0, max: LAST }), { minLength: LAST + 1, maxLength: LAST + 1 }),
  actionDelay: fc.integer({ min: 0, max: LAST }),
});

describe("a synthetic market", () => {
  it("is adjusted to its truth, whenever each bar was fetched, before, between or after the actions", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anySymbol, { minLength: 3, maxLength: 5 }), async (market) => {
        const own = await openBarStore();
        const outer = opened;
        opened = own;
        try {
          const later = (symbol: (typeof market)[number], asked: number): number =>
            symbol.split !== null && symbol.split.day > asked ? symbol.split.ratio : 1;
          const named = market.map((truth, index) => ({ ...truth, symbol: `AB${index}` }));
          await putBars(
            named.flatMap((truth) =>
              DAYS.map((date, index) => {
                const asked = Math.min(LAST, index + (truth.delays[index] ?? 0));
                const price = (truth.closes[index] ?? 0) * later(truth, asked);
                return flatBar(truth.symbol, date, price, DAYS[asked]);
              }),
            ),
          );
          await putActions(
            named.flatMap((truth) => [
              ...(truth.split === null
                ? []
                : [seen(truth.symbol, DAYS[truth.split.day] ?? "", { split: truth.split.ratio })]),
              ...truth.dividends.map((dividend) => {
                const asked = Math.min(LAST, dividend.day + truth.actionDelay);
                const amount = dividend.share * (truth.closes[dividend.day - 1] ?? 0) * later(truth, asked);
                const split = truth.split?.day === dividend.day ? { split: truth.split.ratio } : {};
                return seen(truth.symbol, DAYS[dividend.day] ?? "", { dividend: amount, ...split }, DAYS[asked]);
              }),
            ]),
          );
          const splits = await own.aggregator.loadAll({ adjust: "splits", columns: ["close", "adjusted_close"] });
          const all = await own.aggregator.loadAll({ adjust: "all", columns: ["close"] });
          for (const truth of named) {
            const [onSplits, onAll] = [splits.of(truth.symbol), all.of(truth.symbol)];
            expect(onSplits.length).toBe(DAYS.length);
            for (const [index, close] of truth.closes.entries()) {
              const paid = truth.dividends.filter((dividend) => dividend.day > index);
              const expected = paid.reduce((value, { share }) => value * (1 - share), close);
              expect(Math.abs((onSplits.close[index] ?? 0) / close - 1)).toBeLessThan(1e-12);
              expect(Math.abs((onAll.close[index] ?? 0) / expected - 1)).toBeLessThan(1e-12);
              expect(Math.abs((onSplits.adjusted_close[index] ?? 0) / expected - 1)).toBeLessThan(1e-12);
            }
          }
        } finally {
          opened = outer;
          await own.close();
        }
      }),
      { numRuns: 8, endOnFailure: true },
    );
  }, 60_000);
});
