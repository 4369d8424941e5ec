import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, QueryFailedError, StoreRefusedError, StoreUnavailableError } from "../domain/errors.ts";
import { curatedKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { fromEpochDays } from "../domain/trading-date.ts";
import { sha256 } from "../stores/sha256.ts";
import { BAR_COLUMN_NAMES, selectBars, selectBarsOnce } from "./bars-relation.ts";
import type { CuratedFile } from "./curated-manifest.ts";
import type { Engine } from "./engine.ts";
import { historyOf, type ReadPlan, type ReadSources, readParts } from "./read-plan.ts";
import { sqlText } from "./sql-text.ts";
import { isTemporaryFile } from "./whole-file.ts";

/**
 * Rows of a row group: a year of some 120 symbols. Measured on five years of files a year (DuckDB 1.5, two busy cores, medians
 * of 15, 9 and 5 in ms, of 30,720, 61,440 and 122,880 rows): two symbols over five years 57, 69 and 106; one year
 * 371, 280 and 454; five years 972, 1,073 and 1,106; in 30.3, 30.7 and 31.5 MB, as smaller groups have smaller dictionaries.
 */
const ROW_GROUP_ROWS = 30_720;

/** A temporary file so old was left by a process that was killed. */
const LEFT_BEHIND_MS = 60 * 60_000;

/** A date of a compacted file. */
export interface ContentDay {
  /** The hashes of its raw-data files, and its backfills. */
  readonly sums: string;
  /** Fewest and most bars that it can have: where symbols stand in several files, it has less than these. */
  readonly least: number;
  readonly most: number;
}

/** What a compacted file is made of. */
export interface CuratedContent {
  /** `YYYY` or `YYYY-MM-DD`. */
  readonly period: string;
  /** By date, oldest first. */
  readonly days: ReadonlyMap<string, ContentDay>;
  readonly parts: ReadSources & Pick<ReadPlan, "mayRepeat">;
  /** Another edition has the same bars in other bytes, and so another key. */
  readonly edition: number;
}

/** A compacted file on this machine, to be put. */
export interface BuiltFile {
  readonly file: CuratedFile;
  readonly path: string;
}

/** Writes compacted files, on this machine first. */
export class CuratedWriter {
  readonly #store: ObjectStore;
  readonly #engine: Engine;
  readonly #folder: string;
  readonly #built: string[] = [];

  /** @param cacheFolder a folder in it takes the files until {@link clear}. */
  constructor(store: ObjectStore, engine: Engine, cacheFolder: string) {
    this.#store = store;
    this.#engine = engine;
    this.#folder = join(cacheFolder, "compacting");
  }

  /**
   * Writes a file's bars, sorted by symbol and date, each pair once: the one that counts by the columns that decide.
   * The same bars give the same bytes. What was written is read again and counted.
   */
  async build({ period, days, parts, edition }: CuratedContent): Promise<BuiltFile> {
    const path = await this.#newPath();
    const metadata = edition === 0 ? "" : `, KV_METADATA {'asx-eod.edition': ${sqlText(String(edition))}}`;
    await this.#engine.run(
      `COPY (${sortedBars(parts)}) TO ${sqlText(path)}
       (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_ROWS}${metadata})`,
    );
    const counts = await this.#count(path);
    for (const date of counts.keys()) {
      if (!days.has(date)) throw new QueryFailedError(`the compacted file of ${period} has bars of ${date}; try again`);
    }
    for (const [date, { least, most }] of days) {
      const found = counts.get(date) ?? 0;
      if (found < least || found > most) {
        throw new QueryFailedError(
          `the compacted file of ${period} has ${found} bars of ${date} where ${least} to ${most} are stored; try again`,
        );
      }
    }
    const bytes = await readFile(path);
    const hash = sha256(bytes);
    const counted = [...days].map(([date, { sums }]) => [date, { rows: counts.get(date) ?? 0, sums }] as const);
    const file = {
      key: curatedKey({ period, hash: hash.slice(0, 16) }),
      sha256: hash,
      bytes: bytes.length,
      rows: counted.reduce((sum, [, { rows }]) => sum + rows, 0),
      days: Object.fromEntries(counted),
    };
    return { file, path };
  }

  /**
   * Stores a file that was built, and looks whether it is there whole.
   * @throws StoreUnavailableError where it is not.
   */
  async put({ file: { key, bytes }, path }: BuiltFile): Promise<void> {
    await this.#store.put(key, await readFile(path));
    const stored = await this.#store.head(key);
    if (stored?.bytes === bytes) return;
    throw new StoreUnavailableError(
      `${this.#store.locate(key)} was stored with ${bytes} bytes and has ${stored?.bytes ?? "none"}; compact again`,
    );
  }

  /** Removes what was built from this machine. */
  async clear(): Promise<void> {
    for (const path of this.#built.splice(0)) await rm(path, { force: true });
  }

  /** A path for a file, in a folder that holds what killed processes left for an hour at most. */
  async #newPath(): Promise<string> {
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      if (this.#built.length === 0) await this.#clearOthers();
    } catch (cause) {
      throw new StoreRefusedError(
        `cache folder ${this.#folder} cannot be used: ${messageOf(cause)}; name another folder as cacheDir`,
        { cause },
      );
    }
    const path = join(this.#folder, `.${randomUUID()}.tmp`);
    this.#built.push(path);
    return path;
  }

  async #clearOthers(): Promise<void> {
    for (const name of (await readdir(this.#folder)).filter(isTemporaryFile)) {
      const path = join(this.#folder, name);
      const found = await stat(path).catch(() => undefined); // its process has removed it
      // The times of files are the system's, whatever clock was handed in.
      if (found !== undefined && Date.now() - found.mtimeMs > LEFT_BEHIND_MS) await rm(path, { force: true });
    }
  }

  /** The bars of each date, after a look whether a symbol stands twice on one. */
  async #count(path: string): Promise<Map<string, number>> {
    const columns = await this.#engine.query(
      `SELECT date, count(*) AS rows, count(DISTINCT symbol) AS symbols FROM read_parquet([${sqlText(path)}]) GROUP BY date`,
    );
    const [date, rows, symbols] = ["date", "rows", "symbols"].map((name) => columns.get(name));
    if (date?.kind !== "date" || rows?.kind !== "number" || symbols?.kind !== "number") {
      throw new TypeError("the engine counts bars by date");
    }
    const counts = new Map<string, number>();
    for (const [index, day] of date.values.entries()) {
      const count = rows.values[index] ?? 0;
      if (count !== symbols.values[index]) {
        throw new QueryFailedError(`the compacted file has symbols twice on ${fromEpochDays(day)}; try again`);
      }
      counts.set(fromEpochDays(day), count);
    }
    return counts;
  }
}

/** A compacted file has each symbol and date once already, and so have the other files on most dates. */
function sortedBars({ raw, history, curated, mayRepeat }: CuratedContent["parts"]): string {
  const once = {
    raw: raw.filter(({ date }) => !mayRepeat.has(date)),
    history: historyOf(history, (date) => !mayRepeat.has(date)),
    curated,
  };
  const queries = [selectBars(readParts(once), BAR_COLUMN_NAMES)];
  if (mayRepeat.size > 0) {
    const repeating = {
      raw: raw.filter(({ date }) => mayRepeat.has(date)),
      history: historyOf(history, (date) => mayRepeat.has(date)),
      curated: [],
    };
    queries.push(selectBarsOnce(readParts(repeating)));
  }
  return `SELECT * FROM (${queries.join("\nUNION ALL ")}) ORDER BY symbol, date`;
}
