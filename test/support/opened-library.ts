import { join } from "node:path";
import * as z from "zod";
import { type BarQuestion, BarReader } from "../../aggregator/bar-reader.ts";
import type { Bars } from "../../aggregator/bars.ts";
import { BAR_COLUMN_NAMES } from "../../aggregator/bars-relation.ts";
import { openCacheFolder } from "../../aggregator/cache-folder.ts";
import { CatalogReader } from "../../aggregator/catalog.ts";
import { type CompactResult, compact } from "../../aggregator/compact.ts";
import { CuratedFiles, knownCurated } from "../../aggregator/curated-files.ts";
import { CuratedPublisher } from "../../aggregator/curated-publisher.ts";
import { Engine } from "../../aggregator/engine.ts";
import { knownFile } from "../../aggregator/file-look.ts";
import { HistoryFiles, knownHistory } from "../../aggregator/history-files.ts";
import { storedBackfill } from "../../aggregator/history-record.ts";
import { RowCounts } from "../../aggregator/history-rows.ts";
import { LocalFiles } from "../../aggregator/local-files.ts";
import { type MergedDay, mergeDay } from "../../aggregator/merge-day.ts";
import { ObjectCache } from "../../aggregator/object-cache.ts";
import { Planner } from "../../aggregator/planner.ts";
import { RawFiles } from "../../aggregator/raw-files.ts";
import { Remembered } from "../../aggregator/remembered.ts";
import { runRecord } from "../../aggregator/run-record.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";

/** The library's parts over a store of any kind, where `Aggregator.open` takes addresses alone. */
export interface OpenedLibrary {
  compact(onBadFile?: "error" | "skip"): Promise<CompactResult>;
  mergeDay(date: string): Promise<MergedDay>;
  load(question?: Partial<BarQuestion>): Promise<Bars>;
  close(): void;
}

/** @param now the time, in milliseconds since 1970. */
export async function openLibrary(
  store: ObjectStore,
  cacheDir: string,
  now: () => number = Date.now,
): Promise<OpenedLibrary> {
  const folder = openCacheFolder({ folder: cacheDir, storeUrl: store.url, warn: () => {} });
  const engine = await Engine.open({
    memoryLimit: "500MB",
    temporaryFolder: join(folder.path, "spill"),
    timeoutMs: 60_000,
  });
  const progress = (): void => {};
  const cache = new ObjectCache(store, folder, { now });
  const raw = new RawFiles(
    new LocalFiles(store, cache, () => {}),
    new Remembered(folder, "files", knownFile),
    engine,
    progress,
  );
  const curated = new CuratedFiles(store, cache, new Remembered(folder, "curated", knownCurated), progress);
  const history = new HistoryFiles(store, cache, new Remembered(folder, "history", knownHistory), progress);
  const catalogs = new CatalogReader(
    store,
    new Remembered(folder, "runs", runRecord),
    new Remembered(folder, "backfills", storedBackfill),
  );
  const rowCounts = new RowCounts(engine, new Remembered(folder, "rows", z.number()));
  const publisher = new CuratedPublisher({ store, engine, catalogs, raw, history, curated, folder: folder.path, now });
  const reader = new BarReader({
    store,
    engine,
    catalogs,
    planner: new Planner({ store, raw, history, curated, rowCounts }),
    calendar: createTradingCalendar([]),
    lastSettled: () => "2024-12-31",
    offlineSince: null,
  });
  return {
    compact: (onBadFile = "error") => compact(publisher, onBadFile, progress),
    mergeDay: (date) => mergeDay(publisher, date),
    load: async (question) => {
      const asked = { range: null, symbols: undefined, columns: BAR_COLUMN_NAMES, onBadFile: "error" as const };
      return (await reader.bars({ ...asked, ...question })).bars;
    },
    close: () => engine.close(),
  };
}
