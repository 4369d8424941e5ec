import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

import * as z from "zod";
import { StoreRefusedError } from "../domain/errors.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { parseInput } from "../domain/parse.ts";
import { createTradingCalendar } from "../domain/trading-calendar.ts";
import { tradingDate } from "../domain/trading-date.ts";
import { openStore, type StoreOptions } from "../stores/open-store.ts";
import { ActionFiles } from "./action-files.ts";
import { ActionsReader } from "./actions.ts";
import { BarReader } from "./bar-reader.ts";
import { defaultCacheDir, openCacheFolder } from "./cache-folder.ts";
import { CatalogReader } from "./catalog.ts";
import { CuratedFiles, knownCurated } from "./curated-files.ts";
import { CuratedPublisher } from "./curated-publisher.ts";
import { Engine } from "./engine.ts";
import { knownFile } from "./file-look.ts";
import { HistoryFiles, knownHistory } from "./history-files.ts";
import { storedBackfill } from "./history-record.ts";
import { RowCounts } from "./history-rows.ts";
import { LastLooks } from "./last-looks.ts";
import { ListedSymbols } from "./listed-symbols.ts";
import { LocalFiles } from "./local-files.ts";
import { noteObjects } from "./noted-objects.ts";
import { ObjectCache } from "./object-cache.ts";
import { OfflineReader, type Reader } from "./offline-reader.ts";
import { Outage } from "./outage.ts";
import { Planner } from "./planner.ts";
import type { Progress } from "./progress.ts";
import { RawFiles } from "./raw-files.ts";
import { Remembered } from "./remembered.ts";
import { runRecord } from "./run-record.ts";

/** How a store is opened for reading. */
export interface AggregatorOptions extends StoreOptions {
  /** Folder for what is fetched from S3 and found out about files; else the system's folder for caches. */
  readonly cacheDir?: string | undefined;
  /** Is told how far long work is. */
  readonly onProgress?: Progress | undefined;
  /**
   * Is told what does not stop the work: that S3 cannot be reached and the cache is read (else a warning of the process),
   * and that the cache folder cannot be written (else nothing is told).
   */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Memory that the engine may take, beside results: `1GB` unless given. What does not fit goes to the cache folder. */
  readonly memoryLimit?: string | undefined;
  /** Time that one query may take, in milliseconds: ten minutes unless given. */
  readonly timeoutMs?: number | undefined;
  /** Dates on which the exchange was closed besides those its rules name, `YYYY-MM-DD`. */
  readonly closedDates?: readonly string[] | undefined;
  /** The time, in milliseconds since 1970: which trading days can be missing depends on it. */
  readonly now?: (() => number) | undefined;
}

/** What an aggregator works with. */
export interface AggregatorParts {
  readonly store: ObjectStore;
  readonly engine: Engine;
  readonly reader: Reader;
  readonly listed: ListedSymbols;
  readonly actions: ActionsReader;
  readonly publisher: CuratedPublisher;
  readonly progress: Progress;
}

const MEMORY_LIMIT = "1GB";
const TIMEOUT_MS = 600_000;
/** Every load begins with a listing; where S3 leaves one unanswered for so long, it counts as out of reach: a person waits. */
const LISTING_TIMEOUT_MS = 6_000;

/** The longest time that a timer knows, in milliseconds: 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** Options from a notebook need not have the types they should. */
const checkedOptions = z.looseObject({
  cacheDir: z.string().min(1).optional(),
  memoryLimit: z.string().min(1).default(MEMORY_LIMIT),
  timeoutMs: z.number().int().min(1).max(LONGEST_MS).default(TIMEOUT_MS),
  closedDates: z.array(tradingDate).default([]),
});

/** Opens a store, its cache and an engine, and puts them together. @throws InvalidInputError as `Aggregator.open`. */
export async function openParts(url: string, options: AggregatorOptions): Promise<AggregatorParts> {
  const { closedDates, timeoutMs, memoryLimit, cacheDir } = parseInput(checkedOptions, options, "options");
  const live = await openStore(url, { ...options, listingTimeoutMs: LISTING_TIMEOUT_MS });
  const runsFolder = live.localPath("runs");
  const isRemote = runsFolder === undefined;
  if (runsFolder !== undefined && !existsSync(dirname(runsFolder))) {
    throw new StoreRefusedError(
      `${live.url}: there is no such folder; is it the right one? A run makes it with its first file`,
    );
  }
  const { store, noted } = isRemote ? noteObjects(live) : { store: live, noted: () => undefined };
  const folder = openCacheFolder({
    folder: cacheDir ?? defaultCacheDir(process.env, homedir()),
    storeUrl: store.localPath("runs") ?? store.url,
    endpoint: options.endpoint,
    warn: options.onWarning ?? (() => {}),
  });
  const engine = await Engine.open({
    memoryLimit,
    temporaryFolder: join(folder.path, "spill"),
    timeoutMs,
  });
  const progress = options.onProgress ?? (() => {});
  const now = options.now ?? Date.now;
  const calendar = createTradingCalendar(closedDates);
  const knownFiles = new Remembered(folder, "files", knownFile);
  const knownCompacted = new Remembered(folder, "curated", knownCurated);
  const knownRuns = new Remembered(folder, "runs", runRecord);
  const knownBackfills = new Remembered(folder, "backfills", storedBackfill);
  const knownOfHistory = new Remembered(folder, "history", knownHistory);
  const rowCounts = new RowCounts(engine, new Remembered(folder, "rows", z.number()));
  /** What reads a store: the one that is asked, or what is remembered of it. */
  const readingOf = (of: ObjectStore) => {
    const cache = new ObjectCache(of, folder, { now });
    const raw = new RawFiles(new LocalFiles(of, cache, progress), knownFiles, engine, progress);
    const curated = new CuratedFiles(of, cache, knownCompacted, progress);
    const history = new HistoryFiles(of, cache, knownOfHistory, progress);
    return { raw, history, curated, catalogs: new CatalogReader(of, knownRuns, knownBackfills) };
  };
  const lastSettled = (): string => calendar.lastFinishedTradingDay(now());
  const readerOf = (of: ObjectStore, offlineSince: Date | null, reading = readingOf(of)): BarReader => {
    const { catalogs, ...files } = reading;
    const planner = new Planner({ store: of, ...files, rowCounts });
    return new BarReader({ store: of, engine, catalogs, planner, calendar, lastSettled, offlineSince });
  };
  const outage = new Outage(options.onWarning ?? ((message) => process.emitWarning(message, "AsxEodWarning")));
  const reading = readingOf(store);
  const online = readerOf(store, null, reading);
  const offline = { readerOf, store, noted, looks: new LastLooks(folder), cacheFolder: folder.path, outage, now };
  const reader: Reader = isRemote ? new OfflineReader({ ...offline, online }) : online;
  const listed = new ListedSymbols({ store, folder, outage, now });
  const files = new ActionFiles({ store, folder, outage, now });
  return {
    store,
    engine,
    reader,
    actions: new ActionsReader({ engine, reader, files, listed }),
    listed,
    publisher: new CuratedPublisher({ store, engine, ...reading, folder: folder.path, now }),
    progress,
  };
}
