/**
 * Any split of bars over batches, files and compacted files gives the same answers as a list in memory: a date's files in the
 * older form and by batch, with and without a run summary, with symbols that stand in several, older files without the
 * newer columns, and compacted files: made by hand of states that hold and of such that do not any more, by compactions and
 * merges, and left behind by dates that are stored again.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { CuratedFile } from "../../aggregator/curated-manifest.ts";
import { fileSumsText } from "../../aggregator/file-sums.ts";
import { type BarRow, DateNotStoredError } from "../../aggregator/index.ts";
import type { Bar } from "../../domain/bar.ts";
import { curatedKey } from "../../domain/object-keys.ts";
import type { BatchEntry } from "../../domain/run-summary.ts";
import { sha256 } from "../../stores/sha256.ts";
import { rowOfBar } from "../support/bar-rows.ts";
import { type BarStore, openBarStore, parquetOf } from "../support/bar-store.ts";

const DATES = ["2024-05-22", "2024-05-23", "2024-05-24", "2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30"];
const SYMBOLS = ["14D", "A2M", "BHP", "CBA", "WOW", "XROAB"];

/** Time within which runs are begun. */
const LONGEST_MS = 12_000;

/** A file of a date: the batch it is stored as (null: the older form), its bars, and whether it has the newer columns. */
interface SplitFile {
  readonly batchNumber: number | null;
  readonly bars: readonly Bar[];
  readonly isOld: boolean;
}
interface SplitDay {
  readonly date: string;
  readonly files: readonly SplitFile[];
  /** Whether a run summary names the files. */
  readonly isNamed: boolean;
  /** Whether a compacted file has the day as it is, as it once was, or not at all. */
  readonly compacted: "now" | "before" | "no";
}

/** What is done to a store that is there. */
type Action =
  | { readonly kind: "compact" }
  | { readonly kind: "merge"; readonly date: string }
  | { readonly kind: "again"; readonly day: SplitDay };

const price = fc.integer({ min: 1, max: 100_000 }).map((cents) => cents / 1_000);
const values = fc.record({
  close: price,
  volume: fc.oneof(fc.constant(0), fc.nat(), fc.constant(Number.MAX_SAFE_INTEGER)),
  adjustedClose: fc.option(price),
  dividend: fc.option(price),
  splitRatio: fc.option(fc.constantFrom(0.05, 2)),
  /** Few, so that some are alike. */
  second: fc.nat(3),
});

function fileOf(date: string, batchNumber: number | null): fc.Arbitrary<SplitFile> {
  return fc
    .record({
      bars: fc.uniqueArray(fc.tuple(fc.constantFrom(...SYMBOLS), values), {
        selector: ([symbol]) => symbol,
        maxLength: 5,
      }),
      isOld: fc.boolean(),
    })
    .map(({ bars, isOld }) => ({
      batchNumber,
      isOld,
      bars: bars.map(([symbol, { close, second, ...rest }]): Bar => {
        const newer = isOld ? { dividend: null, splitRatio: null } : {};
        const fetchTimestamp = Date.parse(`${date}T09:30:00Z`) + second * 1_000;
        return {
          symbol,
          date,
          open: close,
          high: close,
          low: close,
          close,
          ...rest,
          ...newer,
          fetchTimestamp,
          batchNumber,
        };
      }),
    }));
}

function dayOf(date: string): fc.Arbitrary<SplitDay> {
  return fc.record({
    date: fc.constant(date),
    files: fc
      .subarray([null, 0, 1, 7])
      .chain((numbers) => fc.tuple(...numbers.map((batchNumber) => fileOf(date, batchNumber)))),
    isNamed: fc.boolean(),
    compacted: fc.constantFrom<SplitDay["compacted"]>("now", "now", "before", "no"),
  });
}

const split: fc.Arbitrary<readonly SplitDay[]> = fc.tuple(...DATES.map(dayOf));
const date = fc.constantFrom(...DATES);
const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    fc.constant<Action>({ kind: "compact" }),
    date.map((merged): Action => ({ kind: "merge", date: merged })),
    // Of a date that has neither files nor a run any more, the compacted copy is what there is.
    date
      .chain(dayOf)
      .filter(({ files, isNamed }) => isNamed || files.length > 0)
      .map((day): Action => ({ kind: "again", day })),
  ),
  { maxLength: 4 },
);

/** The bars that count, in their order: a run's summary names batches alone; of a symbol the one fetched last, of a later batch. */
function modelOf(days: readonly SplitDay[]): Bar[] {
  return days
    .flatMap(({ files, isNamed }) => {
      const last = new Map<string, Bar>();
      for (const { bars } of files.filter(({ batchNumber }) => !isNamed || batchNumber !== null)) {
        for (const bar of bars) {
          const other = last.get(bar.symbol);
          const step = other === undefined ? 1 : bar.fetchTimestamp - other.fetchTimestamp;
          if (step > 0 || (step === 0 && (bar.batchNumber ?? -1) > (other?.batchNumber ?? -1)))
            last.set(bar.symbol, bar);
        }
      }
      return [...last.values()];
    })
    .sort(inOrder);
}

function inOrder(one: Bar, other: Bar): number {
  return one.symbol === other.symbol ? (one.date < other.date ? -1 : 1) : one.symbol < other.symbol ? -1 : 1;
}

/** Does it, and gives the days as they are then. */
async function act(stored: BarStore, days: readonly SplitDay[], action: Action): Promise<readonly SplitDay[]> {
  if (action.kind === "compact") await stored.aggregator.compact();
  else if (action.kind === "merge") {
    const hasBars = modelOf(days.filter((day) => day.date === action.date)).length > 0;
    const merged = stored.aggregator.mergeDailyBatches(action.date);
    if (hasBars) await merged;
    else await merged.catch((error: unknown) => expect(error).toBeInstanceOf(DateNotStoredError));
  } else {
    await storeDay(stored, action.day);
    return days.map((day) => (day.date === action.day.date ? action.day : day));
  }
  return days;
}

const SQL_VALUES = (bar: Bar, isOld: boolean): string => {
  const number = (value: number | null, type: string): string => `${value === null ? "NULL" : value}::${type}`;
  return [
    `'${bar.symbol}'`,
    `DATE '${bar.date}'`,
    ...[bar.open, bar.high, bar.low, bar.close, bar.adjustedClose].map((value) => number(value, "DOUBLE")),
    number(bar.volume, "BIGINT"),
    ...(isOld ? [] : [number(bar.dividend, "DOUBLE"), number(bar.splitRatio, "DOUBLE")]),
    `epoch_ms(${bar.fetchTimestamp})`,
    number(bar.batchNumber, "INTEGER"),
  ].join(", ");
};

/** A Parquet file of bars as the library's compaction and older versions write: by the engine, unsealed. */
async function engineFile(bars: readonly Bar[], isOld: boolean): Promise<Uint8Array> {
  const newer = isOld ? "" : "dividend, split_ratio, ";
  const names = `symbol, date, open, high, low, close, adjusted_close, volume, ${newer}fetch_timestamp, batch_number`;
  const rows = bars.map((bar) => `(${SQL_VALUES(bar, isOld)})`).join(", ");
  return parquetOf(`SELECT * FROM (VALUES ${rows}) AS given(${names})`);
}

/** Stores a date over what was there of it, and gives the files that count. */
async function storeDay(stored: BarStore, day: SplitDay): Promise<BatchEntry[]> {
  for (const { key } of await stored.store.list(`raw-data/${day.date}`)) await rm(join(stored.folder, key));
  await rm(join(stored.folder, `runs/${day.date}.json`), { force: true });
  const entries: BatchEntry[] = [];
  for (const { batchNumber, bars, isOld } of day.files) {
    const entry =
      isOld && bars.length > 0
        ? await stored.putBytes(await engineFile(bars, true), batchNumber, day.date, bars.length)
        : await stored.putBars(bars, batchNumber, day.date);
    if (batchNumber !== null || !day.isNamed) entries.push(entry);
  }
  const symbols = modelOf([day]).map(({ symbol }) => symbol);
  if (day.isNamed) await stored.putSummary(entries, symbols, { date: day.date });
  return entries;
}

/** Stores the days over whatever was there, and compacted files of them by hand. */
async function storeAll(stored: BarStore, days: readonly SplitDay[]): Promise<void> {
  await rm(join(stored.folder, "curated"), { recursive: true, force: true });
  const curated: Bar[] = [];
  const held: CuratedFile["days"] = {};
  for (const day of days) {
    const entries = await storeDay(stored, day);
    if (day.compacted === "no" || entries.length === 0) continue;
    const ofDay = modelOf([day]);
    const isNow = day.compacted === "now";
    curated.push(...(isNow ? ofDay : ofDay.map((bar) => ({ ...bar, close: 0.5 }))));
    const sums = fileSumsText(isNow ? entries : entries.map((entry) => ({ ...entry, sha256: "0".repeat(64) })));
    held[day.date] = { rows: ofDay.length, sums };
  }
  if (curated.length === 0) return;
  const bytes = await engineFile(curated.sort(inOrder), false);
  const hash = sha256(bytes);
  const file: CuratedFile = {
    key: curatedKey({ period: "2024", hash: hash.slice(0, 16) }),
    sha256: hash,
    bytes: bytes.length,
    rows: curated.length,
    days: held,
  };
  await stored.store.put(file.key, bytes);
  const manifest = { version: 1, updatedAt: "2024-06-01T00:00:00Z", files: [file], superseded: [] };
  await stored.store.put("curated/manifest.json", new TextEncoder().encode(JSON.stringify(manifest)));
}

async function expectSameAnswers({ aggregator }: BarStore, days: readonly SplitDay[]): Promise<void> {
  const bars = modelOf(days);
  const rows = (picked: readonly Bar[]): BarRow[] => picked.map(rowOfBar);
  const all = await aggregator.loadAll();
  expect(all.toRows()).toEqual(rows(bars));
  // Twice: files without a summary are known by their hashes from now on, and so compacted ones that hold them.
  expect((await aggregator.loadAll()).toRows()).toEqual(rows(bars));
  const [from, to] = [DATES[1] ?? "", DATES[5] ?? ""];
  const within = bars.filter(({ date }) => date >= from && date <= to);
  expect((await aggregator.loadDateRange(from, to)).toRows()).toEqual(rows(within));
  const picked = await aggregator.loadDateRange(from, to, { symbols: ["BHP", "14D"], columns: ["close"] });
  expect(picked.toRows()).toEqual(
    within
      .filter(({ symbol }) => symbol === "BHP" || symbol === "14D")
      .map(({ symbol, date, close }) => ({ symbol, date, close })),
  );
  expect((await aggregator.loadSymbols(["CBA"])).toRows()).toEqual(rows(bars.filter(({ symbol }) => symbol === "CBA")));
  const groups = [...Map.groupBy(bars, ({ symbol }) => symbol)].map(([symbol, own]) => ({
    symbol,
    n: own.length,
    highest: Math.max(...own.map(({ close }) => close)),
    dividends: own.filter(({ dividend }) => dividend !== null).length,
    last: own.at(-1)?.date,
  }));
  const sql =
    "SELECT symbol, count(*) AS n, max(close) AS highest, count(dividend) AS dividends, max(date) AS last FROM bars GROUP BY symbol ORDER BY symbol";
  expect((await aggregator.sql(sql)).toRows()).toEqual(groups);
  const { coverage } = await aggregator.loadAll();
  const counted = new Map(coverage.days.map(({ date, rows: count }) => [date, count]));
  for (const [date, own] of Map.groupBy(bars, (bar) => bar.date)) expect(counted.get(date)).toBe(own.length);
}

it("any split of bars over batches, files and compacted files gives the same answers", async () => {
  const stored = await openBarStore();
  const until = performance.now() + LONGEST_MS;
  try {
    await fc.assert(
      fc.asyncProperty(split, actions, async (first, done) => {
        if (performance.now() > until) return; // fewer runs where the machine is slow
        let days = first;
        await storeAll(stored, days);
        await expectSameAnswers(stored, days);
        for (const action of done) {
          days = await act(stored, days, action);
          await expectSameAnswers(stored, days);
        }
      }),
      { numRuns: 15 },
    );
  } finally {
    await stored.close();
  }
});
