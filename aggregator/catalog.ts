import pLimit from "p-limit";
import { messageOf, StoredFileError, StoreUnavailableError } from "../domain/errors.ts";
import {
  curatedManifestKey,
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
  readonly manifest: CuratedManifest | undefined;
  /** Run summaries and the manifest, as far as they are damaged. */
  readonly damaged: readonly StoredFileError[];
  /** Changes whenever anything of the above does. */
  readonly mark: string;
}

/** Run summaries read at a time: some 100 KB each. */
const PARALLEL_READS = 16;
/** Times that objects may change between being listed and being read before that is an error. */
const MOST_LOOKS = 5;

/** A manifest, or undefined where there is none, or why it cannot be read. */
type ManifestState = CuratedManifest | StoredFileError | undefined;

/** Looks at a store: what was read before is not read again while its mark is the same. */
export class CatalogReader {
  readonly #store: ObjectStore;
  readonly #records: Remembered<RunRecord>;
  #manifest: { readonly mark: string | undefined; readonly state: ManifestState } | undefined;

  constructor(store: ObjectStore, records: Remembered<RunRecord>) {
    this.#store = store;
    this.#records = records;
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
    const [summaries, [manifestObject]] = await Promise.all([
      this.#summaries(range),
      this.#store.stat([curatedManifestKey]),
    ]);
    const damaged: StoredFileError[] = [];
    const runs = await this.#readRuns(summaries, damaged);
    const manifest = await this.#readManifest(manifestObject);
    if (runs === undefined || manifest === "changed") return undefined;
    if (manifest instanceof StoredFileError) damaged.push(manifest);
    const unrecorded = await this.#unrecorded(range, runs);
    const objects = [...summaries.map(({ object }) => object), ...[...unrecorded.values()].flat()];
    return {
      range,
      runs,
      unrecorded,
      manifest: manifest instanceof StoredFileError ? undefined : manifest,
      damaged,
      mark: `${manifestObject?.mark} ${objects.map(({ key, mark }) => `${key} ${mark}`).join(" ")}`,
    };
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

  /** The records of summaries as listed; undefined where one has changed since. */
  async #readRuns(
    summaries: readonly DatedObject[],
    damaged: StoredFileError[],
  ): Promise<Map<string, RunRecord> | undefined> {
    await this.#records.load(summaries.map(({ object }) => object.key));
    const isUnknown = ({ object }: DatedObject): boolean => this.#records.get(object.key, object.mark) === undefined;
    const unknown = summaries.filter(isUnknown).map(({ object }) => object);
    if (unknown.length > 0) {
      const read = await this.#readRecords(unknown);
      const after = await this.#store.stat(unknown.map(({ key }) => key));
      if (unknown.some(({ mark }, index) => after[index]?.mark !== mark)) return undefined;
      for (const [index, { key, mark }] of unknown.entries()) {
        const record = read[index];
        if (record instanceof StoredFileError) damaged.push(record);
        else if (record !== undefined) this.#records.set(key, mark, record);
      }
      await this.#records.save();
    }
    const runs = new Map<string, RunRecord>();
    for (const { date, object } of summaries) {
      const record = this.#records.get(object.key, object.mark);
      if (record !== undefined) runs.set(date, record);
    }
    return runs;
  }

  async #readRecords(objects: readonly StoredObject[]): Promise<(RunRecord | StoredFileError | undefined)[]> {
    const atATime = pLimit(PARALLEL_READS);
    try {
      return await atATime.map(objects, ({ key }) => this.#readRecord(key));
    } finally {
      atATime.clearQueue(); // after an error nobody waits for the rest
    }
  }

  async #readRecord(key: string): Promise<RunRecord | StoredFileError | undefined> {
    const bytes = await this.#store.get(key);
    if (bytes === undefined) return undefined;
    return orStoredFileError(() => readRunRecord(key, bytes));
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
