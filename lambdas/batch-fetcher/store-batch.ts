import { isFinal, type SymbolReport } from "../../domain/batch.ts";
import { StoreConflictError } from "../../domain/errors.ts";
import { sha256 } from "../../stores/sha256.ts";
import type { BatchContents } from "../runtime/batch-file-reader.ts";
import { encodeBatchFile } from "../runtime/batch-file-writer.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { readStoredFile, type StoredBatchFile } from "../runtime/stored-day.ts";
import type { FetchedSymbol } from "./fetch-symbol.ts";

/** Tries to write a batch's file beside another writer of it. Each loses to one that has finished, so few are many. */
const WRITES = 8;

/** Longest wait before a file that another writer changed is read again, in milliseconds. */
const LONGEST_WAIT_MS = 200;

/** What is to be stored of a batch. */
export interface BatchToStore {
  readonly key: string;
  /** The batch's file as it was read; undefined where there was none. */
  readonly before: StoredBatchFile | undefined;
  readonly fetched: readonly FetchedSymbol[];
  /** Where the bars came from. */
  readonly source: string;
}

/** The batch's file as it is stored now. */
export interface StoredFile {
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Adds to a batch's file what was fetched. A file that would stay the same is not written again. Where another writer
 * has changed it meanwhile, it is read again and added to: neither loses the other's bars, and what the other stored of
 * a symbol stands.
 * @throws StoreConflictError where others kept changing it.
 */
export async function storeBatch(
  { key, before, fetched, source }: BatchToStore,
  { store, clock, random }: Pick<Runtime, "store" | "clock" | "random">,
): Promise<StoredFile> {
  const asked = new Map(before?.contents.reports.map((report) => [report.symbol, report]));
  let current = before;
  for (let writes = 1; ; writes += 1) {
    const { bars, reports } = merge(current?.contents, fetched, asked);
    const bytes = await encodeBatchFile({ bars, reports, source });
    const hash = sha256(bytes);
    const file = { rows: bars.length, bytes: bytes.length, sha256: hash };
    if (hash === current?.sha256) return file;
    try {
      await store.replace(key, bytes, current?.version);
      return file;
    } catch (error) {
      if (!(error instanceof StoreConflictError) || writes === WRITES) throw error;
      await clock.sleep(Math.ceil(random() * LONGEST_WAIT_MS));
      current = await readStoredFile(store, key);
    }
  }
}

/**
 * What is stored, and what was fetched besides. A bar that is stored stands, and so does a final outcome that another
 * writer found meanwhile; outcomes that were known before the batch was asked are replaced by what it got.
 */
function merge(
  stored: BatchContents | undefined,
  fetched: readonly FetchedSymbol[],
  asked: ReadonlyMap<string, SymbolReport>,
): Pick<BatchContents, "bars" | "reports"> {
  const withBar = new Set(stored?.bars.map(({ symbol }) => symbol));
  const bars = [
    ...(stored?.bars ?? []),
    ...fetched.flatMap(({ bar }) => (bar === undefined || withBar.has(bar.symbol) ? [] : bar)),
  ];
  for (const { symbol } of bars) withBar.add(symbol);
  const reports = new Map(stored?.reports.map((report) => [report.symbol, report]));
  for (const { report } of fetched) {
    const known = reports.get(report.symbol);
    const isOthers = known !== undefined && known.outcome !== asked.get(report.symbol)?.outcome;
    if (!(isOthers && isFinal(known.outcome) && !isFinal(report.outcome))) reports.set(report.symbol, report);
  }
  return { bars, reports: [...reports.values()].filter(({ symbol }) => !withBar.has(symbol)) };
}
