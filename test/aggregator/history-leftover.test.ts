/** What only a compacted file still holds stays, whatever is backfilled and compacted afterwards. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Aggregator } from "../../aggregator/index.ts";
import type { Bar } from "../../domain/bar.ts";
import { backfillKey, curatedManifestKey, historyKey, rawDataKey, runKey } from "../../domain/object-keys.ts";
import { type BarStore, barOf, openBarStore } from "../support/bar-store.ts";
import { putBackfill } from "../support/history-store.ts";

const DATES = ["2023-12-28", "2023-12-29", "2024-01-02", "2024-01-03"] as const;
const SPAN = { from: DATES[0], to: DATES[3] };
const OTHER = { from: DATES[0], to: DATES[2] };
const FETCHED = Date.parse("2024-02-01T09:30:00Z");
const RECORD = backfillKey(SPAN);

let stored: BarStore;
beforeEach(async () => {
  stored = await openBarStore();
});
afterEach(async () => {
  await stored.close();
});

function past(symbol: string, close: number, dates: readonly string[] = DATES, fetchTimestamp = FETCHED + close) {
  const prices = { open: close, high: close, low: close, close };
  return dates.map((date) => barOf(symbol, { date, ...prices, fetchTimestamp }));
}

async function putDaily(date: string, bars: readonly Bar[]): Promise<void> {
  const entry = await stored.putBars(bars, 0, date);
  await stored.putSummary(
    [entry],
    bars.map(({ symbol }) => symbol),
    { date },
  );
}

async function remove(...keys: readonly string[]): Promise<void> {
  for (const key of keys) await rm(join(stored.folder, key), { force: true });
}

async function removeDaily(date: string): Promise<void> {
  await remove(rawDataKey({ date, batchNumber: 0 }), runKey(date));
}

/** By every way of reading, with what is known of the files and without. */
async function closes(): Promise<string[]> {
  const fresh = await Aggregator.open(`file:${stored.folder}`, {
    cacheDir: `${stored.folder}-fresh`,
    now: () => Date.parse("2024-07-01T00:00:00Z"),
  });
  try {
    const found = await readAll(fresh);
    expect(await readAll(stored.aggregator)).toEqual(found);
    return found;
  } finally {
    await fresh.close();
    await rm(`${stored.folder}-fresh`, { recursive: true, force: true });
  }
}

async function readAll(aggregator: Aggregator): Promise<string[]> {
  const bars = await aggregator.loadAll();
  const rows = bars.toRows().map(({ symbol, date, close }) => `${symbol} ${date} ${close}`);
  const read = await aggregator.sql("SELECT symbol, date::VARCHAR AS date, close FROM bars ORDER BY symbol, date");
  expect(read.toRows().map(({ symbol, date, close }) => `${symbol} ${date} ${close}`)).toEqual(rows);
  const counts = Map.groupBy(bars.toRows(), ({ date }) => date);
  for (const { date, rows: count } of bars.coverage.days) expect(count).toBe(counts.get(date)?.length ?? 0);
  for (const { date, rows: count } of await aggregator.dates()) expect(count).toBe(counts.get(date)?.length ?? 0);
  for (const [date, own] of counts) expect((await aggregator.loadDate(date)).length).toBe(own.length);
  return rows;
}

/** Compacts twice: nothing is read differently, and the second time nothing is written. */
async function expectKept(rows: readonly string[]): Promise<void> {
  expect(await closes()).toEqual(rows);
  await stored.aggregator.compact();
  expect(await closes()).toEqual(rows);
  const manifest = await stored.bytesOf(curatedManifestKey);
  expect((await stored.aggregator.compact()).written).toEqual([]);
  expect(await stored.bytesOf(curatedManifestKey)).toEqual(manifest);
  expect(await closes()).toEqual(rows);
}

function lines(...bars: readonly Bar[]): string[] {
  return bars.map(({ symbol, date, close }) => `${symbol} ${date} ${close}`).sort();
}

describe("a date that only a compacted file holds", () => {
  it("keeps its bars beside a backfill of others, and the bar that was fetched last counts", async () => {
    for (const date of DATES) await putDaily(date, [...past("BHP", 44, [date]), ...past("CBA", 60, [date])]);
    await stored.aggregator.compact();
    for (const date of DATES) await removeDaily(date);
    await putBackfill(stored.store, { span: OTHER, isNamed: true, batches: [past("BHP", 45, [DATES[0]])] });
    await expectKept(lines(...past("BHP", 45, [DATES[0]]), ...past("BHP", 44, DATES.slice(1)), ...past("CBA", 60)));
    await putBackfill(stored.store, { span: SPAN, batches: [past("CBA", 59), past("NAB", 30)] });
    await expectKept(
      lines(...past("BHP", 45, [DATES[0]]), ...past("BHP", 44, DATES.slice(1)), ...past("CBA", 60), ...past("NAB", 30)),
    );
  });

  it("keeps them where the copy has bars of a backfill too that goes on", async () => {
    for (const date of DATES) await putDaily(date, past("BHP", 44, [date]));
    await putBackfill(stored.store, { span: SPAN, batches: [past("CBA", 60)] });
    await stored.aggregator.compact();
    for (const date of DATES) await removeDaily(date);
    await expectKept(lines(...past("BHP", 44), ...past("CBA", 60)));
    await putBackfill(stored.store, { span: SPAN, batches: [past("CBA", 60), past("NAB", 30)] });
    await expectKept(lines(...past("BHP", 44), ...past("CBA", 60), ...past("NAB", 30)));
  });

  it("keeps the bars of a record that is no more, beside the run of the date", async () => {
    for (const date of DATES) await putDaily(date, past("BHP", 44, [date]));
    await putBackfill(stored.store, { span: SPAN, batches: [past("CBA", 60)] });
    await stored.aggregator.compact();
    await remove(RECORD);
    await expectKept(lines(...past("BHP", 44), ...past("CBA", 60)));
    await putBackfill(stored.store, { span: OTHER, isNamed: true, batches: [past("NAB", 30, DATES.slice(0, 3))] });
    await expectKept(lines(...past("BHP", 44), ...past("CBA", 60), ...past("NAB", 30, DATES.slice(0, 3))));
  });

  it("has the bars of a run again as soon as that is there, and no more", async () => {
    await putDaily(DATES[0], [...past("BHP", 44, [DATES[0]]), ...past("CBA", 60, [DATES[0]])]);
    await stored.aggregator.compact();
    await removeDaily(DATES[0]);
    await putDaily(DATES[0], past("BHP", 45, [DATES[0]]));
    await expectKept(lines(...past("BHP", 45, [DATES[0]])));
  });

  it("is told where its copy cannot be read, and is not compacted without it", async () => {
    await putDaily(DATES[0], past("BHP", 44, [DATES[0]]));
    await stored.aggregator.compact();
    await removeDaily(DATES[0]);
    await putBackfill(stored.store, { span: OTHER, isNamed: true, batches: [past("NAB", 30, [DATES[0]])] });
    const [copy = ""] = (await stored.store.list("curated/bars")).map(({ key }) => key);
    await stored.store.put(
      copy,
      (await stored.bytesOf(copy)).map((byte, index) => (index === 200 ? byte ^ 1 : byte)),
    );
    await expect(stored.aggregator.loadAll()).rejects.toThrow(`${copy} is damaged`);
    await expect(stored.aggregator.compact()).rejects.toThrow(copy);
    expect((await stored.aggregator.loadAll({ onBadFile: "skip" })).symbols).toEqual(["NAB"]);
  });
});

describe("a compacted copy", () => {
  it("stays where the date cannot be compacted, as a backfill since cannot be read", async () => {
    for (const date of DATES) await putDaily(date, past("BHP", 44, [date]));
    await stored.aggregator.compact();
    for (const date of DATES) await removeDaily(date);
    await putBackfill(stored.store, { span: SPAN, batches: [past("CBA", 60)] });
    const file = historyKey({ ...SPAN, batchNumber: 0 });
    const bytes = await stored.bytesOf(file);
    await remove(file);
    const { skipped } = await stored.aggregator.compact({ onBadFile: "skip" });
    expect(skipped.map(({ date }) => date)).toEqual(DATES);
    expect((await stored.aggregator.compact({ onBadFile: "skip" })).written).toEqual([]);
    const { coverage, symbols } = await stored.aggregator.loadAll({ onBadFile: "skip" });
    expect([symbols, coverage.skipped.map(({ key }) => key)]).toEqual([["BHP"], [file]]);
    await stored.store.put(file, bytes);
    await expectKept(lines(...past("BHP", 44), ...past("CBA", 60)));
  });

  it("stands for a backfill's file that is gone, beside another backfill since, and for no other", async () => {
    await putBackfill(stored.store, { span: SPAN, batches: [past("BHP", 44)] });
    await stored.aggregator.compact();
    await remove(historyKey({ ...SPAN, batchNumber: 0 }));
    await putBackfill(stored.store, { span: OTHER, isNamed: true, batches: [past("CBA", 60, [DATES[1]])] });
    const file = historyKey({ ...OTHER, batchNumber: 0 });
    const bytes = await stored.bytesOf(file);
    await remove(file);
    await expect(stored.aggregator.loadAll()).rejects.toThrow(`${file} is missing`);
    await stored.aggregator.compact({ onBadFile: "skip" });
    await stored.store.put(file, bytes);
    await expectKept(lines(...past("BHP", 44), ...past("CBA", 60, [DATES[1]])));
  });

  it("stands for files that a run names and that are gone, beside a backfill since", async () => {
    for (const date of DATES) await putDaily(date, past("BHP", 44, [date]));
    await stored.aggregator.compact();
    for (const date of DATES) await remove(rawDataKey({ date, batchNumber: 0 }));
    await putBackfill(stored.store, { span: SPAN, batches: [past("CBA", 60)] });
    await expectKept(lines(...past("BHP", 44), ...past("CBA", 60)));
  });

  it("stands for no file of a run since", async () => {
    await putDaily(DATES[0], past("BHP", 44, [DATES[0]]));
    await stored.aggregator.compact();
    await putDaily(DATES[0], past("BHP", 45, [DATES[0]]));
    await remove(rawDataKey({ date: DATES[0], batchNumber: 0 }));
    await expect(stored.aggregator.loadAll()).rejects.toThrow("batch-0.parquet is missing");
  });
});

const SYMBOLS = ["BHP", "CBA", "NAB"];
const someBars = fc.uniqueArray(fc.tuple(fc.constantFrom(...SYMBOLS), fc.constantFrom(...DATES)), {
  selector: ([symbol, date]) => `${symbol} ${date}`,
  minLength: 1,
  maxLength: 8,
});
const round = fc.record({
  backfilled: someBars,
  /** Of the runs, raw-data files and records: which go. */
  removed: fc.array(fc.boolean(), { minLength: 2 * DATES.length + 4, maxLength: 2 * DATES.length + 4 }),
  isFull: fc.boolean(),
  /** Before the files go; they are always compacted then. */
  isMerged: fc.boolean(),
  second: fc.nat(1_000),
});
const SPANS = [SPAN, OTHER, { from: DATES[0], to: "2024-01-05" }, { from: "2023-12-27", to: DATES[3] }];

/** Spans are used once: a record that is stored again speaks for all that its backfill stored. */
it("loses no bar, whichever runs, raw-data files and records go after a compaction, and whatever is backfilled then", async () => {
  await fc.assert(
    fc.asyncProperty(someBars, fc.array(round, { minLength: 1, maxLength: SPANS.length }), async (daily, rounds) => {
      for (const folder of ["raw-data", "runs", "history", "backfills", "curated"]) {
        await rm(join(stored.folder, folder), { recursive: true, force: true });
      }
      const last = new Map<string, Bar>();
      let count = 0;
      const barsOf = (pairs: typeof daily, second: number): Bar[] =>
        pairs.flatMap(([symbol, date]) => {
          count += 1;
          const bars = past(symbol, count, [date], FETCHED + 1_000 * second + count);
          for (const bar of bars) {
            const name = `${symbol} ${date}`;
            if ((last.get(name)?.fetchTimestamp ?? 0) < bar.fetchTimestamp) last.set(name, bar);
          }
          return bars;
        });
      for (const [date, own] of Map.groupBy(barsOf(daily, 500), (bar) => bar.date)) await putDaily(date, own);
      for (const [index, { backfilled, removed, isFull, isMerged, second }] of rounds.entries()) {
        await stored.aggregator.compact();
        if (isMerged && (await closes()).some((line) => line.includes(DATES[1]))) {
          await stored.aggregator.mergeDailyBatches(DATES[1]);
        }
        const keys = [
          ...DATES.map((date) => rawDataKey({ date, batchNumber: 0 })),
          ...DATES.map(runKey),
          ...SPANS.map(backfillKey),
        ];
        await remove(...keys.filter((_, place) => removed[place]));
        const span = SPANS[index] ?? SPAN;
        const dates = backfilled.filter(([, date]) => span.from <= date && date <= span.to);
        const bars = barsOf(dates, second);
        if (bars.length > 0) await putBackfill(stored.store, { span, isNamed: !isFull, batches: [bars] });
        await expectKept(lines(...last.values()));
      }
    }),
    { numRuns: 10, seed: 20_240_201, endOnFailure: true },
  );
}, 120_000);
