import { setTimeout } from "node:timers/promises";
import { StoreUnavailableError } from "../domain/errors.ts";
import { curatedManifestKey, curatedPrefix } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import type { Catalog, CatalogReader, DateRange } from "./catalog.ts";
import { type SourceDays, sourceDays } from "./compaction-days.ts";
import { CuratedBuilding, SourceChanged } from "./curated-building.ts";
import type { CuratedFiles } from "./curated-files.ts";
import type { CuratedFile } from "./curated-manifest.ts";
import type { BuiltFile } from "./curated-writer.ts";
import type { Engine } from "./engine.ts";
import type { HistoryFiles } from "./history-files.ts";
import { publishManifest, readManifest } from "./manifest-store.ts";
import type { RawFiles } from "./raw-files.ts";
import { type ManifestLists, nextSuperseded, removable } from "./superseded-files.ts";

/** What compacted files are made and published with. */
export interface CuratedPublisherParts {
  readonly store: ObjectStore;
  readonly engine: Engine;
  readonly catalogs: CatalogReader;
  readonly raw: RawFiles;
  readonly history: HistoryFiles;
  readonly curated: CuratedFiles;
  /** A folder of this machine for files until they are stored. */
  readonly folder: string;
  /** The time, in milliseconds since 1970. */
  readonly now: () => number;
}

/** A look at the store, of which the next manifest is made. */
export interface CompactionState {
  readonly catalog: Catalog;
  /** What the stored manifest names; nothing where there is none. */
  readonly manifest: ManifestLists;
  /** Of the manifest as stored, for its replacement. */
  readonly version: string | undefined;
  /** Keys of all objects beside the manifest. */
  readonly present: ReadonlySet<string>;
  readonly source: SourceDays;
}

/** The compacted files that shall count next. */
export interface NextFiles<Result> {
  readonly files: readonly CuratedFile[];
  /** Those of them that were built just now. */
  readonly built: readonly BuiltFile[];
  readonly result: Result;
}

/** Times that another compaction may publish first, or files change while they are read, before that is an error. */
const MOST_TRIES = 10;
/** The wait after a first try, in milliseconds, and as much more after each further one: another may be writing the manifest. */
const PAUSE_MS = 20;

/**
 * Publishes compacted files. A file is never changed, and one manifest says which count: it is replaced by one conditional
 * write when everything it names is stored. Killed at any moment, that leaves the old state or the new one, and at most
 * files that no manifest names, which a later compaction removes.
 */
export class CuratedPublisher {
  readonly #parts: CuratedPublisherParts;

  constructor(parts: CuratedPublisherParts) {
    this.#parts = parts;
  }

  get store(): ObjectStore {
    return this.#parts.store;
  }

  /**
   * Makes the next manifest of a look at the store, and publishes it; from the beginning where another was first. What was
   * built is kept from one try to the next. Then removes files that were superseded long ago.
   * @param range the dates that are looked at.
   * @returns what `make` gave, and the keys of the files removed.
   * @throws StoreUnavailableError where the store cannot be reached, or changes all the time.
   */
  async publish<Result>(
    range: DateRange,
    make: (state: CompactionState, building: CuratedBuilding) => Promise<NextFiles<Result>>,
  ): Promise<{ readonly result: Result; readonly removed: readonly string[] }> {
    const building = new CuratedBuilding(this.#parts);
    try {
      for (let attempt = 1; attempt <= MOST_TRIES; attempt += 1) {
        const done = await this.#tryOnce(range, building, make);
        if (done !== undefined) return done;
        if (attempt < MOST_TRIES) await setTimeout(attempt * PAUSE_MS);
      }
    } finally {
      await building.clear();
    }
    throw new StoreUnavailableError(
      `${this.store.url} changed while it was compacted, ${MOST_TRIES} times; nothing is lost, compact again`,
    );
  }

  async #tryOnce<Result>(
    range: DateRange,
    building: CuratedBuilding,
    make: (state: CompactionState, building: CuratedBuilding) => Promise<NextFiles<Result>>,
  ): Promise<{ readonly result: Result; readonly removed: readonly string[] } | undefined> {
    const { now } = this.#parts;
    try {
      const state = await this.#look(range, building);
      const { files, built, result } = await make(state, building);
      const present = new Set([...state.present, ...built.map(({ file }) => file.key)]);
      const superseded = nextSuperseded(state.manifest, files, present, now());
      if (built.length > 0 || !isSame(state.manifest, { files, superseded })) {
        await building.makeSure(built);
        const manifest = {
          version: 1 as const,
          updatedAt: new Date(now()).toISOString(),
          files: [...files],
          superseded,
        };
        if (!(await publishManifest(this.store, manifest, state.version))) return undefined;
      }
      const removed = removable(superseded, present, now());
      for (const key of removed) await this.store.remove(key);
      return { result, removed };
    } catch (error) {
      if (error instanceof SourceChanged) return undefined;
      throw error;
    }
  }

  async #look(range: DateRange, building: CuratedBuilding): Promise<CompactionState> {
    const { store, catalogs, raw, history } = this.#parts;
    const { manifest, version } = await readManifest(store);
    const objects = (await store.list(curatedPrefix)).filter(({ key }) => key !== curatedManifestKey);
    const bytesOf = new Map(objects.map(({ key, bytes }) => [key, bytes]));
    const catalog = { ...(await catalogs.look(range)), manifest };
    const source = await sourceDays(
      catalog,
      raw,
      history,
      ({ key, bytes }) => bytesOf.get(key) === bytes && !building.unreadable.has(key),
    );
    const { files, superseded } = manifest ?? { files: [], superseded: [] };
    return { catalog, manifest: { files, superseded }, version, present: new Set(bytesOf.keys()), source };
  }
}

function isSame(one: ManifestLists, other: ManifestLists): boolean {
  const keys = ({ files, superseded }: ManifestLists): string =>
    [...files, ...superseded].map(({ key }) => key).join(" ");
  return one.files.length === other.files.length && keys(one) === keys(other);
}
