/** How a date stands that was never run by itself, by the backfill that covers it. */
import pLimit from "p-limit";
import type { BackfillRecord, BackfillStatus, HistoryReport } from "../domain/backfill.ts";
import { isFinal, SYMBOL_SOURCES } from "../domain/batch.ts";
import { contains, type DateSpan } from "../domain/date-span.ts";
import { backfillKey, backfillsPrefix, parseBackfillKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { parseBackfillRecord } from "../domain/parse-backfill-record.ts";
import { counted, size, whole } from "./numbers.ts";
import { checkFile, type FileState } from "./stored-file-state.ts";

/** Files of a backfill that are compared at the same time: each has a few MB. */
const FILES_AT_ONCE = 4;

/** A date by a backfill. */
export interface BackfilledDay {
  readonly date: string;
  readonly status: BackfillStatus;
  readonly backfill: DateSpan & { readonly key: string; readonly finishedAt: string; readonly isNamed: boolean };
  /** Bars of the date. */
  readonly rows: number;
  /** Symbols with an outcome. */
  readonly symbols: number;
  /** Every file of the backfill. */
  readonly files: readonly FileState[];
  readonly unfinished: readonly HistoryReport[];
}

/**
 * The date by the backfill over it that was finished last, one of the whole market before one of named symbols; undefined
 * where none covers it.
 * @throws StoredFileError where a record is damaged.
 */
export async function backfilledDay(store: ObjectStore, date: string): Promise<BackfilledDay | undefined> {
  const records: BackfillRecord[] = [];
  for (const span of await storedSpans(store)) {
    if (!contains(span, { from: date, to: date })) continue;
    const key = backfillKey(span);
    const bytes = await store.get(key);
    if (bytes !== undefined) records.push(parseBackfillRecord(key, bytes));
  }
  const order = (record: BackfillRecord): string => `${isNamed(record) ? 0 : 1} ${record.finishedAt}`;
  const record = records.sort((left, right) => (order(left) < order(right) ? 1 : -1))[0];
  if (record === undefined) return undefined;
  const { from, to, status, finishedAt, days, symbols, batches, outcomes } = record;
  return {
    date,
    status,
    backfill: { from, to, key: backfillKey(record), finishedAt, isNamed: isNamed(record) },
    rows: days[date] ?? 0,
    symbols: symbols.total,
    files: await pLimit(FILES_AT_ONCE).map(batches, (batch) => checkFile(store, batch)),
    unfinished: outcomes.filter(({ outcome }) => !isFinal(outcome)),
  };
}

/** The last date that a backfill covers; undefined where none is stored. */
export async function lastBackfilledDate(store: ObjectStore): Promise<string | undefined> {
  return (await storedSpans(store))
    .map(({ to }) => to)
    .sort()
    .at(-1);
}

/** What is said of such a date. */
export function describeBackfilledDay(day: BackfilledDay, store: ObjectStore): string {
  const { date, status, backfill, rows, symbols, files, unfinished } = day;
  const bytes = files.reduce((total, file) => total + file.bytes, 0);
  const wrong = files.filter(({ state }) => state !== "ok");
  return [
    `ASX ${date}: ${status} by a backfill, as of ${backfill.finishedAt}; it has no run of its own`,
    `Bars:    ${whole(rows)} of ${counted(symbols, "symbol")}${backfill.isNamed ? ", named by hand" : ""}`,
    `Files:   ${counted(files.length, "file")} of ${backfill.from} to ${backfill.to} (${size(bytes)})`,
    `Record:  ${store.locate(backfill.key)}`,
    ...wrong.map(({ key, state }) => `${state === "missing" ? "Missing" : "Changed"}: ${store.locate(key)}`),
    ...(unfinished.length > 0 ? [`To fetch again: ${counted(unfinished.length, "symbol")}; --json names all`] : []),
  ].join("\n");
}

function isNamed({ symbols }: BackfillRecord): boolean {
  return symbols.source === SYMBOL_SOURCES.event;
}

async function storedSpans(store: ObjectStore): Promise<DateSpan[]> {
  return (await store.list(backfillsPrefix)).flatMap(({ key }) => parseBackfillKey(key) ?? []);
}
