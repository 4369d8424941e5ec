import * as z from "zod";
import type { BackfillRecord } from "../../domain/backfill.ts";
import type { Bar } from "../../domain/bar.ts";
import type { DateSpan } from "../../domain/date-span.ts";
import { backfillKey } from "../../domain/object-keys.ts";
import { parseBackfillRecord } from "../../domain/parse-backfill-record.ts";
import { barOfRow } from "../../domain/stored-bar.ts";
import { compareSymbols } from "../../domain/symbol.ts";
import { readTable } from "../../stores/parquet-table.ts";
import { sha256 } from "../../stores/sha256.ts";
import type { MemoryStore } from "./memory-store.ts";

const dated = z.looseObject({ date: z.date(), fetch_timestamp: z.date() });

/** The bars of a file of a backfill, in the order of the file. */
export async function decodeHistory(bytes: Uint8Array): Promise<Bar[]> {
  const { rows } = await readTable(bytes);
  return rows.map((row) => {
    const { date, fetch_timestamp: fetched, ...rest } = dated.parse(row);
    const day = date.toISOString().slice(0, 10);
    return barOfRow({ ...rest, date: day, fetch_timestamp: fetched.getTime() }, day);
  });
}

/** The stored record of a backfill. */
export function recordOf({ objects }: MemoryStore, span: DateSpan): BackfillRecord {
  const key = backfillKey(span);
  const bytes = objects.get(key);
  if (bytes === undefined) throw new Error(`nothing is stored under ${key}`);
  return parseBackfillRecord(key, bytes);
}

/** All bars of the files that the record of a backfill names, by symbol and date, after the record was found to be true of them. */
export async function barsOfBackfill(store: MemoryStore, span: DateSpan): Promise<Bar[]> {
  const bars: Bar[] = [];
  for (const { key, rows, bytes, sha256: hash } of recordOf(store, span).batches) {
    const file = store.objects.get(key);
    if (file === undefined || file.length !== bytes || sha256(file) !== hash) throw new Error(`${key} is not as named`);
    const read = await decodeHistory(file);
    if (read.length !== rows) throw new Error(`${key} has ${read.length} bars, not ${rows}`);
    bars.push(...read);
  }
  return bars.sort((left, right) => compareSymbols(left.symbol, right.symbol) || compareSymbols(left.date, right.date));
}
