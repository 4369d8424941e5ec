/**
 * Stores end-of-day bars of CSV files just as the daily run stores what it fetches: sealed batch files, run summaries and
 * symbol lists. Benches and tests read such a store; nothing in it depends on when or where it was built.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Bar, checkBar } from "../domain/bar.ts";
import { countOutcomes, NOTHING_ASKED, type SymbolReport, splitIntoBatches } from "../domain/batch.ts";
import { InvalidInputError } from "../domain/errors.ts";
import { rawDataKey, runKey, symbolsKey } from "../domain/object-keys.ts";
import { type BatchEntry, runStatus, runSummary } from "../domain/run-summary.ts";
import { asxSymbol, compareSymbols } from "../domain/symbol.ts";
import { createTradingCalendar } from "../domain/trading-calendar.ts";
import { addDays, settledInstant } from "../domain/trading-date.ts";
import { encodeBatchFile } from "../lambdas/runtime/batch-file-writer.ts";
import { sha256 } from "../stores/sha256.ts";
import { encodeSymbolsCsv } from "../stores/symbols-csv.ts";

/** Symbols of one batch file, as the daily run has them. */
export const BATCH_SIZE = 100;

/** One trading date of a store to build. */
export interface PlannedDay {
  /** The trading date, `YYYY-MM-DD`. */
  readonly date: string;
  /** Path of the CSV whose bars the date gets: its own, or that of another day where the folder has none of the date. */
  readonly path: string;
  /** Key of the symbol list that the date's run names. */
  readonly listKey: string;
}

/** What one date of the store holds. */
export interface StoredDay {
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
}

/** The CSVs of a folder with a folder a year, `2024/20240531.csv`, by trading date, oldest first. */
export async function findEodDays(folder: string): Promise<Map<string, string>> {
  const paths = (await readdir(folder, { recursive: true })).sort(compareSymbols);
  const days = paths.flatMap((path): [string, string][] => {
    const [, year, month, day] = /(?:^|[\\/])(\d{4})(\d{2})(\d{2})\.csv$/.exec(path) ?? [];
    return year === undefined ? [] : [[`${year}-${month}-${day}`, join(folder, path)]];
  });
  if (days.length === 0) throw new InvalidInputError(`${folder} has no YYYYMMDD.csv; give a folder of end-of-day CSVs`);
  return new Map(days.sort(([left], [right]) => compareSymbols(left, right)));
}

/**
 * The trading days of the last `years` years up to the last day there is a CSV of. A date without a CSV gets the bars of
 * one of the days that there are, each in its turn, the last day just before the first date that has its own.
 */
export function planDays(eodDays: ReadonlyMap<string, string>, years: number): PlannedDay[] {
  const [real, last] = [[...eodDays.values()], [...eodDays.keys()].at(-1)];
  if (last === undefined) throw new InvalidInputError("there is no day to take bars from");
  const from = addDays(`${Number(last.slice(0, 4)) - years}${last.slice(4)}`, 1);
  const dates = createTradingCalendar().tradingDays(from, last);
  let without = 0;
  const plan = dates.toReversed().map((date) => {
    const path = eodDays.get(date) ?? real.at(-1 - (without++ % real.length)) ?? "";
    const firstOfMonth = dates.find((other) => other.startsWith(date.slice(0, 7))) ?? date;
    return { date, path, listKey: symbolsKey(firstOfMonth) };
  });
  return plan.reverse();
}

/**
 * Writes one date below the store's folder: its batch files and run summary, and the symbol list where it is due.
 * @param mostSymbols upper bound of symbols; three-character codes go first, then longer ones.
 */
export async function storeEodDay(day: PlannedDay, storeFolder: string, mostSymbols: number): Promise<StoredDay> {
  const { date, listKey } = day;
  const rows = chooseRows(await readFile(day.path, "utf8"), mostSymbols);
  const put = async (key: string, bytes: Uint8Array) => {
    await mkdir(dirname(join(storeFolder, key)), { recursive: true });
    await writeFile(join(storeFolder, key), bytes);
  };
  const batches: BatchEntry[] = [];
  const outcomes: SymbolReport[] = [];
  let traded = 0;
  for (const { symbols, batchNumber } of splitIntoBatches([...rows.keys()], BATCH_SIZE)) {
    const bars: Bar[] = [];
    const reports: SymbolReport[] = [];
    for (const symbol of symbols) {
      const check = checkBar(uncheckedBar(symbol, rows.get(symbol) ?? [], date, batchNumber));
      if (check.valid) bars.push(check.bar);
      else reports.push({ symbol, outcome: "invalid", reason: check.reason });
      outcomes.push(
        check.valid ? { symbol, outcome: "fetched" } : { symbol, outcome: "invalid", reason: check.reason },
      );
    }
    const bytes = await encodeBatchFile({ bars, reports, source: "eod-csv" });
    const key = rawDataKey({ date, batchNumber });
    await put(key, bytes);
    batches.push({ batchNumber, key, rows: bars.length, bytes: bytes.length, sha256: sha256(bytes), durationMs: 0 });
    traded += bars.filter(({ volume }) => volume > 0).length;
  }
  const stored = { files: batches.length, rows: sum(batches, "rows"), bytes: sum(batches, "bytes") };
  const counts = countOutcomes(outcomes);
  const settled = settledInstant(date);
  const summary = runSummary.parse({
    version: 1,
    date,
    status: runStatus(counts, []),
    startedAt: new Date(settled).toISOString(),
    finishedAt: new Date(settled + 600_000).toISOString(),
    upstream: { ...NOTHING_ASKED, requests: rows.size },
    symbols: {
      s3Key: listKey,
      source: "asx-directory",
      changes: { comparedTo: null, added: [], removed: [] },
      warnings: [],
      total: rows.size,
    },
    counts,
    rows: stored.rows,
    quality: { traded, usual: null, findings: [], suspects: [] },
    batches,
    outcomes,
  });
  await put(runKey(date), new TextEncoder().encode(`${JSON.stringify(summary)}\n`));
  if (listKey === symbolsKey(date)) await put(listKey, encodeSymbolsCsv([...rows.keys()].map(listingOf)));
  return stored;
}

/** The fields after the code of each symbol's first row, in order of symbol. */
function chooseRows(csv: string, mostSymbols: number): Map<string, string[]> {
  const rows = new Map<string, string[]>();
  for (const line of csv.split(/\r?\n/)) {
    const [symbol, ...fields] = line.split(",");
    if (symbol !== undefined && asxSymbol.safeParse(symbol).success && !rows.has(symbol)) rows.set(symbol, fields);
  }
  const chosen = [...rows].sort(([left], [right]) => left.length - right.length || compareSymbols(left, right));
  return new Map(chosen.slice(0, mostSymbols).sort(([left], [right]) => compareSymbols(left, right)));
}

function uncheckedBar(symbol: string, fields: readonly string[], date: string, batchNumber: number) {
  const [open, high, low, close, volume] = fields.slice(1).map(Number);
  const unknown = { dividend: null, splitRatio: null, adjustedClose: close };
  return {
    ...{ symbol, date, open, high, low, close, ...unknown, volume, batchNumber },
    fetchTimestamp: settledInstant(date) + batchNumber * 1000,
  };
}

function listingOf(symbol: string) {
  return { symbol, name: `Company ${symbol}`, industryGroup: "Not known", listingDate: null, marketCap: null };
}

function sum<Name extends "rows" | "bytes">(entries: readonly Readonly<Record<Name, number>>[], name: Name): number {
  return entries.reduce((total, entry) => total + entry[name], 0);
}
