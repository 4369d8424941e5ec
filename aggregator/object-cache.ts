import pLimit, { type LimitFunction } from "p-limit";
import { StoreUnavailableError } from "../domain/errors.ts";
import type { ObjectStore, StoredObject } from "../domain/object-store.ts";
import { mapInTurns } from "../stores/file-objects.ts";
import { ByteBudget } from "./byte-budget.ts";
import type { CacheFolder } from "./cache-folder.ts";
import { CachedFiles } from "./cached-files.ts";

/** Downloads under way at a time: half of the reads that an S3 store does at once. */
const PARALLEL = 16;
/** Bytes of the downloads under way, 64 MiB: they are in memory until they are written. */
const BYTES_UNDER_WAY = 64 * 1024 * 1024;
/** 4 GiB: years of batch files and what they were compacted to. */
const MAX_BYTES = 4 * 1024 ** 3;

/** How an object cache works. */
export interface ObjectCacheOptions {
  /** Downloads at a time. */
  readonly parallel?: number;
  /** Bytes that the files of one store may hold; files used in the last hour stay, even where they are more. */
  readonly maxBytes?: number;
  /** The time, in milliseconds since 1970, by which a file's last use is known. */
  readonly now?: () => number;
}

/** What became of an object that was listed: it is in a local file; it was deleted meanwhile; it has other bytes meanwhile. */
export type FetchResult =
  | { readonly state: "here"; readonly path: string /** Whether it has just come. */; readonly isNew: boolean }
  | { readonly state: "gone" }
  | { readonly state: "changed" };

/** How far the downloads of one fetch are: files and bytes that have come, of so many files that were not here. */
export interface FetchProgress {
  readonly files: number;
  readonly of: number;
  readonly bytes: number;
}

interface Wanted {
  readonly object: StoredObject;
  readonly path: string;
  /** Whether it is downloaded although it is here. */
  readonly isAgain: boolean;
}

/**
 * A store's objects as local files, of which each is named by key and mark: a changed object is another file. Several
 * processes may share the folder, and anybody may delete files: where a query finds one missing, fetch it again.
 */
export class ObjectCache {
  readonly #store: ObjectStore;
  readonly #files: CachedFiles;
  readonly #downloads: LimitFunction;
  readonly #budget = new ByteBudget(BYTES_UNDER_WAY);
  /** Downloads under way, by path. */
  readonly #arrivals = new Map<string, Promise<FetchResult>>();

  constructor(store: ObjectStore, folder: CacheFolder, options: ObjectCacheOptions = {}) {
    const { parallel = PARALLEL, maxBytes = MAX_BYTES, now = Date.now } = options;
    this.#store = store;
    this.#files = new CachedFiles(folder, { maxBytes, now });
    this.#downloads = pLimit(parallel);
  }

  /**
   * A local file of exactly the bytes of each object as listed, by key. What is not here is downloaded; a file that is
   * here is trusted by its size: compare its hash before its first use, and fetch it again where it is another. Objects of a
   * store whose objects are files are where they are.
   * @throws the store's error where it is unavailable or refuses: no download begins after it, and what has come stays.
   * @throws StoreRefusedError where the folder has no room or cannot be written.
   */
  async fetch(
    objects: readonly StoredObject[],
    onProgress?: (progress: FetchProgress) => void,
  ): Promise<Map<string, FetchResult>> {
    const results = new Map<string, FetchResult>();
    const missing: Wanted[] = [];
    await mapInTurns(objects, (object) => {
      const own = this.#store.localPath(object.key);
      const path = own ?? this.#files.pathOf(object);
      if (own !== undefined || this.#files.has(path, object.bytes)) {
        results.set(object.key, { state: "here", path, isNew: false });
      } else missing.push({ object, path, isAgain: false });
    });
    if (missing.length > 0) await this.#fetchMissing(missing, results, onProgress);
    return results;
  }

  /**
   * Downloads objects again whose files here were found not to have their bytes. What was here stays until it comes.
   * @throws as {@link fetch}.
   */
  async fetchAgain(objects: readonly StoredObject[]): Promise<Map<string, FetchResult>> {
    const results = new Map<string, FetchResult>();
    const wanted: Wanted[] = [];
    for (const object of objects) {
      const own = this.#store.localPath(object.key);
      if (own !== undefined) results.set(object.key, { state: "here", path: own, isNew: false });
      else wanted.push({ object, path: this.#files.pathOf(object), isAgain: true });
    }
    await this.#fetchMissing(wanted, results, undefined);
    return results;
  }

  async #fetchMissing(
    missing: readonly Wanted[],
    results: Map<string, FetchResult>,
    onProgress: ((progress: FetchProgress) => void) | undefined,
  ): Promise<void> {
    const failures: unknown[] = [];
    let files = 0;
    let bytes = 0;
    await this.#downloads.map(missing, async (wanted) => {
      if (failures.length > 0) return;
      try {
        const result = await this.#arrival(wanted);
        results.set(wanted.object.key, result);
        files += 1;
        if (result.state === "here") bytes += wanted.object.bytes;
        onProgress?.({ files, of: missing.length, bytes });
      } catch (error) {
        failures.push(error); // thrown when the downloads beside it have ended
      }
    });
    await this.#files.keepWithin(bytes);
    if (failures.length > 0) throw failures[0];
  }

  /** Two fetches that want the same object at once wait for one download. */
  #arrival(wanted: Wanted): Promise<FetchResult> {
    const begun = this.#arrivals.get(wanted.path);
    if (begun !== undefined) return begun;
    const arrival = this.#budget
      .hold(wanted.object.bytes, () => this.#download(wanted))
      .finally(() => this.#arrivals.delete(wanted.path));
    this.#arrivals.set(wanted.path, arrival);
    return arrival;
  }

  async #download({ object, path, isAgain }: Wanted): Promise<FetchResult> {
    if (!isAgain && this.#files.has(path, object.bytes)) return { state: "here", path, isNew: false }; // another has fetched it meanwhile
    const found = await this.#store.read(object.key);
    if (found === undefined) return { state: "gone" };
    if (found.version !== object.mark) return { state: "changed" };
    if (found.bytes.length !== object.bytes) {
      throw new StoreUnavailableError(
        `${this.#store.locate(object.key)} came with ${found.bytes.length} bytes where ${object.bytes} are listed; try again`,
      );
    }
    await this.#files.write(path, found.bytes);
    return { state: "here", path, isNew: true };
  }
}
