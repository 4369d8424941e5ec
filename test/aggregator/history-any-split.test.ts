/**
 * Any split of bars over daily files, compacted files and backfills that overlap, with fetch times in any order, gives the same
 * answers as a list in memory: the bar fetched last counts, whichever file it stands in.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { DECIDING_COLUMNS } from "../../aggregator/deciding-columns.ts";
import { type BarRow, DateNotStoredError } from "../../aggregator/index.ts";
import type { Bar } from "../../domain/bar.ts";
import type { DateSpan } from "../../domain/date-span.ts";
import type { BatchEntry } from "../../domain/run-summary.ts";
import { rowOfBar } from "../support/bar-rows.ts";
import { type BarStore, openBarStore } from "../support/bar-store.ts";
import { putBackfill } from "../support/history-store.ts";

const DATES = ["2023-12-28", "2023-12-29", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"];
const SYMBOLS = ["14D", "A2M", "BHP", "CBA", "WOW", "XROAB"];
const SPANS: readonly DateSpan[] = [
  { from: "2023-12-01", to: "2024-01-31" },
  { from: "2023-12-29", to: "2024-01-03" },
  { from: "2024-01-03", to: "2024-01-08" },
];

/** Time within which runs are begun. */
const LONGEST_MS = 15_000;

interface SplitDay {
  readonly date: string;
  /** By batch; null for the older form. */
  readonly files: readonly (readonly [batchNumber: number | null, bars: readonly Bar[]])[];
  /** Whether a run summary names the files. */
  readonly isNamed: boolean;
}

interface SplitBackfill {
  readonly span: DateSpan;
  /** By batch; no symbol stands in two of them. */
  readonly batches: readonly (readonly Bar[])[];
  readonly isNamed: boolean;
}

interface Split {
  readonly days: ReadonlyMap<string, SplitDay>;
  /** By its first date. */
  readonly backfills: ReadonlyMap<string, SplitBackfill>;
}

type Action =
  | { readonly kind: "compact" }
  | { readonly kind: "merge"; readonly date: string }
  | { readonly kind: "day"; readonly day: SplitDay }
  | { readonly kind: "backfill"; readonly backfill: SplitBackfill };

const price = fc.integer({ min: 1, max: 100_000 }).map((cents) => cents / 1_000);
const values = fc.record({
  close: price,
  volume: fc.oneof(fc.constant(0), fc.nat()),
  adjustedClose: fc.option(price),
  dividend: fc.option(price),
  splitRatio: fc.option(fc.constantFrom(0.05, 2)),
  /** Few, so that some are alike. */
  second: fc.nat(4),
});

function barsOf(dates: readonly string[], symbols: readonly string[], batchNumber: number | null) {
  return fc
    .uniqueArray(fc.tuple(fc.constantFrom(...symbols), fc.constantFrom(...dates), values), {
      selector: ([symbol, date]) => `${symbol} ${date}`,
      maxLength: 3 * dates.length,
    })
    .map((picked) =>
      picked.map(([symbol, date, { close, second, ...rest }]): Bar => {
        const fetchTimestamp = Date.parse("2024-02-01T09:30:00Z") + second * 1_000;
        return { symbol, date, open: close, high: close, low: close, close, ...rest, fetchTimestamp, batchNumber };
      }),
    );
}

function dayOf(date: string): fc.Arbitrary<SplitDay> {
  const files = fc
    .subarray([null, 0, 1])
    .chain((numbers) =>
      fc.tuple(...numbers.map((number) => fc.tuple(fc.constant(number), barsOf([date], SYMBOLS, number)))),
    );
  return fc.record({ date: fc.constant(date), files, isNamed: fc.boolean() });
}

function backfillOf(span: DateSpan): fc.Arbitrary<SplitBackfill> {
  const dates = DATES.filter((date) => span.from <= date && date <= span.to);
  const batches = fc.tuple(
    barsOf(dates, SYMBOLS.slice(0, 2), 0),
    barsOf(dates, SYMBOLS.slice(2, 4), 1),
    barsOf(dates, SYMBOLS.slice(4), 2),
  );
  return fc.record({
    span: fc.constant(span),
    batches: fc.tuple(batches, fc.nat(3)).map(([all, count]) => all.slice(0, count)),
    isNamed: fc.boolean(),
  });
}

const days = fc.subarray(DATES).chain((dates) => fc.tuple(...dates.map(dayOf)));
const backfills = fc.subarray([...SPANS]).chain((spans) => fc.tuple(...spans.map(backfillOf)));
const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    fc.constant<Action>({ kind: "compact" }),
    fc.constantFrom(...DATES).map((date): Action => ({ kind: "merge", date })),
    fc
      .constantFrom(...DATES)
      .chain(dayOf)
      .filter(({ files, isNamed }) => isNamed || files.length > 0)
      .map((day): Action => ({ kind: "day", day })),
    fc
      .constantFrom(...SPANS)
      .chain(backfillOf)
      .map((backfill): Action => ({ kind: "backfill", backfill })),
  ),
  { maxLength: 4 },
);

/** The columns of rows in the order in which they decide; a number is more than none. */
function isLater(row: BarRow, other: BarRow): boolean {
  for (const name of DECIDING_COLUMNS) {
    const rank = (each: BarRow): number => (each[name] === null ? Number.NEGATIVE_INFINITY : Number(each[name]));
    if (rank(row) !== rank(other)) return rank(row) > rank(other);
  }
  return false;
}

/** The rows that count, in their order: a run's summary names batches alone. */
function modelOf(split: Split): BarRow[] {
  const daily = [...split.days.values()].flatMap(({ files, isNamed }) =>
    files.filter(([batchNumber]) => !isNamed || batchNumber !== null).flatMap(([, bars]) => bars),
  );
  const past = [...split.backfills.values()].flatMap(({ batches }) => batches.flat());
  const last = new Map<string, BarRow>();
  for (const row of [...daily, ...past].map(rowOfBar)) {
    const key = `${row.symbol} ${row.date}`;
    const other = last.get(key);
    if (other === undefined || isLater(row, other)) last.set(key, row);
  }
  return [...last]
    .sort(([left, { symbol }], [right, { symbol: other }]) =>
      symbol === other ? (left < right ? -1 : 1) : symbol < other ? -1 : 1,
    )
    .map(([, row]) => row);
}

async function storeDay(stored: BarStore, { date, files, isNamed }: SplitDay): Promise<void> {
  for (const { key } of await stored.store.list(`raw-data/${date}`)) await rm(join(stored.folder, key));
  await rm(join(stored.folder, `runs/${date}.json`), { force: true });
  const entries: BatchEntry[] = [];
  for (const [batchNumber, bars] of files) {
    const entry = await stored.putBars(bars, batchNumber, date);
    if (batchNumber !== null) entries.push(entry);
  }
  if (isNamed) await stored.putSummary(entries, ["BHP"], { date });
}

async function act(stored: BarStore, split: Split, action: Action): Promise<Split> {
  if (action.kind === "compact") await stored.aggregator.compact();
  else if (action.kind === "merge") {
    const hasBars = modelOf(split).some(({ date }) => date === action.date);
    const merged = stored.aggregator.mergeDailyBatches(action.date);
    if (hasBars) await merged;
    else await merged.catch((error: unknown) => expect(error).toBeInstanceOf(DateNotStoredError));
  } else if (action.kind === "day") {
    await storeDay(stored, action.day);
    return { ...split, days: new Map(split.days).set(action.day.date, action.day) };
  } else {
    // The files of a backfill are written once, and never changed: here another takes its place.
    await putBackfill(stored.store, action.backfill);
    return { ...split, backfills: new Map(split.backfills).set(action.backfill.span.from, action.backfill) };
  }
  return split;
}

async function expectSameAnswers({ aggregator }: BarStore, split: Split): Promise<void> {
  const rows = modelOf(split);
  expect((await aggregator.loadAll()).toRows()).toEqual(rows);
  const narrow = rows.map(({ symbol, date, volume }) => ({ symbol, date, volume }));
  expect((await aggregator.loadAll({ columns: ["volume"] })).toRows()).toEqual(narrow);
  const [from, to] = [DATES[1] ?? "", DATES[4] ?? ""];
  const within = rows.filter(({ date }) => date >= from && date <= to);
  expect((await aggregator.loadDateRange(from, to)).toRows()).toEqual(within);
  const one = rows.filter(({ date }) => date === to);
  expect((await aggregator.loadDateRange(to, to)).toRows()).toEqual(one);
  expect((await aggregator.loadSymbols(["CBA"])).toRows()).toEqual(rows.filter(({ symbol }) => symbol === "CBA"));
  const read = await aggregator.sql("SELECT * FROM bars ORDER BY symbol, date");
  expect(read.toRows().map((row) => ({ ...row, date: String(row.date) }))).toEqual(rows);
  expect(await aggregator.availableSymbols()).toEqual([...new Set(rows.map(({ symbol }) => symbol))]);
  const counts = new Map([...Map.groupBy(rows, ({ date }) => date)].map(([date, own]) => [date, own.length]));
  const loaded = (await aggregator.loadAll()).coverage.days.filter((day) => day.rows > 0);
  expect(new Map(loaded.map((day) => [day.date, day.rows]))).toEqual(counts);
  // Where the run of a day is all there is, its summary says how many bars it stored: those that stand twice are two.
  const backfilled = new Set(
    [...split.backfills.values()].flatMap(({ batches }) => batches.flat().map(({ date }) => date)),
  );
  const listed = (await aggregator.dates()).filter(({ date }) => backfilled.has(date));
  for (const { date, rows: count } of listed) expect(count).toBe(counts.get(date));
}

it("any split of bars over daily files, compacted files and backfills gives the same answers", async () => {
  const stored = await openBarStore();
  const until = performance.now() + LONGEST_MS;
  try {
    await fc.assert(
      fc.asyncProperty(days, backfills, actions, async (ofDays, ofBackfills, done) => {
        if (performance.now() > until) return; // fewer runs where the machine is slow
        for (const folder of ["raw-data", "runs", "history", "backfills", "curated"]) {
          await rm(join(stored.folder, folder), { recursive: true, force: true });
        }
        let split: Split = {
          days: new Map(ofDays.map((day) => [day.date, day])),
          backfills: new Map(ofBackfills.map((backfill) => [backfill.span.from, backfill])),
        };
        for (const day of ofDays) await storeDay(stored, day);
        for (const backfill of ofBackfills) await putBackfill(stored.store, backfill);
        await expectSameAnswers(stored, split);
        for (const action of done) {
          split = await act(stored, split, action);
          await expectSameAnswers(stored, split);
        }
        await stored.aggregator.compact();
        await expectSameAnswers(stored, split);
        expect((await stored.aggregator.compact()).written).toEqual([]);
      }),
      { numRuns: 30 },
    );
  } finally {
    await stored.close();
  }
});
