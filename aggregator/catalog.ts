import pLimit from "p-limit";
import { messageOf, StoredFileError, StoreUnavailableError } from "../domain/errors.ts";
import {
  backfillsPrefix,
  curatedManifestKey,
  parseBackfillKey,
  parseRawDataGroup,
  parseRawDataKey,
  parseRunKey,
  RAW_DATA_DELIMITER,
  rawDataFolder,
  runKey,
  runsPrefix,
} from "../domain/object-keys.ts";
import type { ObjectStore, StoredObject } from "../domain/object-store.ts";
import { type CuratedManifest, parseCuratedManifest } from "./curated-manifest.ts";
import { readStoredBackfill, type StoredBackfill } from "./history-record.ts";
import type { Remembered } from "./remembered.ts";
import { type RunRecord, readRunRecord } from "./run-record.ts";

/** Dates from one to another, `YYYY-MM-DD`, both inclusive; null for all that are stored. */
export type DateRange = { readonly from: string; readonly to: string } | null;

/** What a store holds of a range of dates, as it stood at one moment. */
export interface Catalog {
  readonly range: DateRange;
  /** The runs by date, oldest first. */
  readonly runs: ReadonlyMap<string, RunRecord>;
  /** The raw-data files of dates that have no run, by date. */
  readonly unrecorded: ReadonlyMap<string, readonly StoredObject[]>;
  /** The backfills of dates of the range, in order of key; each with all of its own dates. */
  readonly backfills: readonly StoredBackfill[];
  readonly manifest: CuratedManifest | undefined;
  /** Run summaries, records of backfills and the manifest, as far as they are damaged. */
  readonly damaged: readonly StoredFileError[];
  /** Changes whenever anything of the above does. */
  readonly mark: string;
}

/** Run summaries and records read at a time: some 100 KB each. */
const PARALLEL_READS = 16;
/** Times that objects may change between being listed and being read before that is an error. */
const MOST_LOOKS = 5;

/** A manifest, or undefined where there is none, or why it cannot be read. */
type ManifestState = CuratedManifest | StoredFileError | undefined;

/** Looks at a store: what was read before is not read again while its mark is the same. */
export class CatalogReader {
  readonly #store: ObjectStore;
  readonly #runs: Remembered<RunRecord>;
  readonly #backfills: Remembered<StoredBackfill>;
  #manifest: { readonly mark: string | undefined; readonly state: ManifestState } | undefined;

  constructor(store: ObjectStore, runs: Remembered<RunRecord>, backfills: Remembered<StoredBackfill>) {
    this.#store = store;
    this.#runs = runs;
    this.#backfills = backfills;
  }

  /**
   * What the store holds of a range.
   * @throws StoreUnavailableError where it cannot be reached, or changes faster than it is read.
   */
  async look(range: DateRange): Promise<Catalog> {
    for (let look = 1; look <= MOST_LOOKS; look += 1) {
      const catalog = await this.#lookOnce(range);
      if (catalog !== undefined) return catalog;
    }
    throw new StoreUnavailableError(`${this.#store.url} changed while it was read, ${MOST_LOOKS} times; try again`);
  }

  async #lookOnce(range: DateRange): Promise<Catalog | undefined> {
    const [summaries, records, [manifestObject]] = await Promise.all([
      this.#summaries(range),
      this.#backfillRecords(range),
      this.#store.stat([curatedManifestKey]),
    ]);
    const damaged: StoredFileError[] = [];
    const summaryOf = await this.#readMarked(
      this.#runs,
      summaries.map(({ object }) => object),
      readRunRecord,
      damaged,
    );
    const backfillOf = await this.#readMarked(this.#backfills, records, readStoredBackfill, damaged);
    const manifest = await this.#readManifest(manifestObject);
    if (summaryOf === undefined || backfillOf === undefined || manifest === "changed") return undefined;
    if (manifest instanceof StoredFileError) damaged.push(manifest);
    const runs = new Map<string, RunRecord>();
    for (const { date, object } of summaries) {
      const record = summaryOf.get(object.key);
      if (record !== undefined) runs.set(date, record);
    }
    const unrecorded = await this.#unrecorded(range, runs);
    const objects = [...summaries.map(({ object }) => object), ...[...unrecorded.values()].flat(), ...records];
    return {
      range,
      runs,
      unrecorded,
      backfills: [...backfillOf.values()],
      manifest: manifest instanceof StoredFileError ? undefined : manifest,
      damaged,
      mark: `${manifestObject?.mark} ${objects.map(({ key, mark }) => `${key} ${mark}`).join(" ")}`,
    };
  }

  /** The records of backfills of dates of a range, in order of key. They are few: one listing shows them all. */
  async #backfillRecords(range: DateRange): Promise<StoredObject[]> {
    const listed = await this.#store.list(backfillsPrefix);
    return listed.filter(({ key }) => {
      const span = parseBackfillKey(key);
      return span !== undefined && (range === null || (span.from <= range.to && range.from <= span.to));
    });
  }

  async #summaries(range: DateRange): Promise<DatedObject[]> {
    const isOne = range !== null && range.from === range.to;
    const listed = isOne
      ? await this.#store.stat([runKey(range.from)])
      : await this.#store.list(`${runsPrefix}${commonPrefix(range)}`);
    return listed.flatMap((object) => {
      const date = object === undefined ? undefined : parseRunKey(object.key);
      return object !== undefined && date !== undefined && isWithin(date, range) ? [{ date, object }] : [];
    });
  }

  /** What objects say, by key, as they were listed; undefined where one has changed since. Damaged ones are told. */
  async #readMarked<Value>(
    known: Remembered<Value>,
    objects: readonly StoredObject[],
    read: (key: string, bytes: Uint8Array) => Value,
    damaged: StoredFileError[],
  ): Promise<Map<string, Value> | undefined> {
    await known.load(objects.map(({ key }) => key));
    const unknown = objects.filter(({ key, mark }) => known.get(key, mark) === undefined);
    if (unknown.length > 0) {
      const found = await this.#readRecords(unknown, read);
      const after = await this.#store.stat(unknown.map(({ key }) => key));
      if (unknown.some(({ mark }, index) => after[index]?.mark !== mark)) return undefined;
      for (const [index, { key, mark }] of unknown.entries()) {
        const record = found[index];
        if (record instanceof StoredFileError) damaged.push(record);
        else if (record !== undefined) known.set(key, mark, record);
      }
      await known.save();
    }
    const records = new Map<string, Value>();
    for (const { key, mark } of objects) {
      const record = known.get(key, mark);
      if (record !== undefined) records.set(key, record);
    }
    return records;
  }

  async #readRecords<Value>(
    objects: readonly StoredObject[],
    read: (key: string, bytes: Uint8Array) => Value,
  ): Promise<(Value | StoredFileError | undefined)[]> {
    const atATime = pLimit(PARALLEL_READS);
    try {
      return await atATime.map(objects, async ({ key }) => {
        const bytes = await this.#store.get(key);
        return bytes === undefined ? undefined : orStoredFileError(() => read(key, bytes));
      });
    } finally {
      atATime.clearQueue(); // after an error nobody waits for the rest
    }
  }

  async #readManifest(object: StoredObject | undefined): Promise<ManifestState | "changed"> {
    if (this.#manifest !== undefined && this.#manifest.mark === object?.mark) return this.#manifest.state;
    let state: ManifestState;
    if (object !== undefined) {
      const bytes = await this.#store.get(object.key);
      const [after] = await this.#store.stat([object.key]);
      if (bytes === undefined || after?.mark !== object.mark) return "changed";
      state = orStoredFileError(() => parseCuratedManifest(object.key, bytes));
    }
    this.#manifest = { mark: object?.mark, state };
    return state;
  }

  /** The files of dates without a run. Which dates have files is asked in short; that each has a run is the rule. */
  async #unrecorded(range: DateRange, runs: ReadonlyMap<string, RunRecord>): Promise<Map<string, StoredObject[]>> {
    if (range !== null && range.from === range.to && runs.has(range.from)) return new Map();
    const groups = await this.#store.groups(`${rawDataFolder}${commonPrefix(range)}`, RAW_DATA_DELIMITER);
    const dates = new Set<string>();
    for (const group of groups) {
      const date = parseRawDataGroup(group);
      if (date !== undefined && isWithin(date, range) && !runs.has(date)) dates.add(date);
    }
    const [from, to] = [[...dates][0], [...dates].at(-1)];
    if (from === undefined || to === undefined) return new Map();
    const listed = await this.#store.list(`${rawDataFolder}${commonPrefix({ from, to })}`);
    const dated = listed.filter(({ key }) => dates.has(parseRawDataKey(key)?.date ?? ""));
    return Map.groupBy(dated, ({ key }) => parseRawDataKey(key)?.date ?? "");
  }
}

interface DatedObject {
  readonly date: string;
  readonly object: StoredObject;
}

/** Whether a date lies in a range. */
export function isWithin(date: string, range: DateRange): boolean {
  return range === null || (date >= range.from && date <= range.to);
}

/** The beginning that all dates of a range share: a listing of it is as short as can be. */
export function commonPrefix(range: DateRange): string {
  if (range === null) return "";
  let length = 0;
  while (length < range.from.length && range.from[length] === range.to[length]) length += 1;
  return range.from.slice(0, length);
}

function orStoredFileError<Value>(read: () => Value): Value | StoredFileError {
  try {
    return read();
  } catch (error) {
    return error instanceof StoredFileError ? error : new StoredFileError(messageOf(error), { cause: error });
  }
}
