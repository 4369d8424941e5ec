import { createHash } from "node:crypto";
import { type Stats, statSync, utimesSync } from "node:fs";
import { join, sep } from "node:path";
import pLimit, { type LimitFunction } from "p-limit";
import { StoreRefusedError, StoreUnavailableError } from "../domain/errors.ts";
import { assertSafeKey } from "../domain/object-keys.ts";
import type { ObjectStore, StoredObject } from "../domain/object-store.ts";
import { codeOf } from "../stores/error-code.ts";
import { mapInTurns } from "../stores/file-objects.ts";
import { ByteBudget } from "./byte-budget.ts";
import type { CacheFolder } from "./cache-folder.ts";
import { evictFiles, IN_USE_MS } from "./evict-files.ts";
import { writeWholeFile } from "./whole-file.ts";

/** Downloads under way at a time: half of the reads that an S3 store does at once. */
const PARALLEL = 16;
/** Bytes of the downloads under way: they are in memory until they are written. */
const BYTES_UNDER_WAY = 64 * 1024 * 1024;
const MAX_BYTES = 4 * 1024 ** 3;
/** After an eviction so much of the room is free, that not every fetch looks through the whole folder. */
const FREE_SHARE = 0.1;
/** A use is noted on the file when the last note is so old: well before the file counts as no longer used. */
const NOTE_USE_MS = IN_USE_MS / 2;
/** No room on the disk, in the quota, or for a file of this size. */
const FULL: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** How an object cache works. */
export interface ObjectCacheOptions {
  /** Downloads at a time. */
  readonly parallel?: number;
  /** Bytes that the files of one store may hold; more where one fetch asks for more. */
  readonly maxBytes?: number;
  /** The time, in milliseconds since 1970, by which a file's last use is known. */
  readonly now?: () => number;
}

/** What became of an object that was listed: it is in a local file; it was deleted meanwhile; it has other bytes meanwhile. */
export type FetchResult =
  | { readonly state: "here"; readonly path: string }
  | { readonly state: "gone" }
  | { readonly state: "changed" };

/** How far the downloads of one fetch are: files and bytes that have come, of so many files that were not here. */
export interface FetchProgress {
  readonly files: number;
  readonly of: number;
  readonly bytes: number;
}

interface CachedObject {
  readonly object: StoredObject;
  readonly path: string;
}

/**
 * A store's objects as local files, of which each is named by key and mark: a changed object is another file. Several
 * processes may share the folder, and anybody may delete files: where a query finds one missing, fetch it again.
 */
export class ObjectCache {
  readonly #store: ObjectStore;
  readonly #folder: CacheFolder;
  readonly #maxBytes: number;
  readonly #now: () => number;
  readonly #downloads: LimitFunction;
  readonly #evictions = pLimit(1);
  readonly #underWay = new ByteBudget(BYTES_UNDER_WAY);
  /** Bytes in the folder as far as this process knows; undefined until it has looked. */
  #heldBytes: number | undefined;

  constructor(store: ObjectStore, folder: CacheFolder, options: ObjectCacheOptions = {}) {
    this.#store = store;
    this.#folder = folder;
    this.#maxBytes = options.maxBytes ?? MAX_BYTES;
    this.#now = options.now ?? Date.now;
    this.#downloads = pLimit(options.parallel ?? PARALLEL);
  }

  /**
   * A local file of exactly the bytes of each object as listed, by key. What is not here is downloaded; a file that is
   * here is trusted by its size: compare its hash before its first use. Objects of a store whose objects are
   * files are where they are.
   * @throws the store's error where it is unavailable or refuses: no download begins after it, and what has come stays.
   * @throws StoreRefusedError where the folder has no room or cannot be written.
   */
  async fetch(
    objects: readonly StoredObject[],
    onProgress?: (progress: FetchProgress) => void,
  ): Promise<Map<string, FetchResult>> {
    const results = new Map<string, FetchResult>();
    const missing: CachedObject[] = [];
    await mapInTurns(objects, (object) => {
      const own = this.#store.localPath(object.key);
      const path = own ?? this.#pathOf(object);
      if (own !== undefined || this.#isHere(path, object.bytes)) results.set(object.key, { state: "here", path });
      else missing.push({ object, path });
    });
    if (missing.length > 0) await this.#fetchMissing(missing, results, onProgress);
    return results;
  }

  async #fetchMissing(
    missing: readonly CachedObject[],
    results: Map<string, FetchResult>,
    onProgress: ((progress: FetchProgress) => void) | undefined,
  ): Promise<void> {
    const failures: unknown[] = [];
    let files = 0;
    let bytes = 0;
    await this.#downloads.map(missing, async (each) => {
      if (failures.length > 0) return;
      try {
        const result = await this.#underWay.hold(each.object.bytes, () => this.#download(each));
        results.set(each.object.key, result);
        files += 1;
        if (result.state === "here") bytes += each.object.bytes;
        onProgress?.({ files, of: missing.length, bytes });
      } catch (error) {
        failures.push(error); // thrown when the downloads beside it have ended
      }
    });
    await this.#keepWithin(bytes);
    if (failures.length > 0) throw failures[0];
  }

  async #download({ object, path }: CachedObject): Promise<FetchResult> {
    if (this.#isHere(path, object.bytes)) return { state: "here", path }; // another has fetched it meanwhile
    const found = await this.#store.read(object.key);
    if (found === undefined) return { state: "gone" };
    if (found.version !== object.mark) return { state: "changed" };
    if (found.bytes.length !== object.bytes) {
      throw new StoreUnavailableError(
        `${this.#store.locate(object.key)} came with ${found.bytes.length} bytes where ${object.bytes} are listed; try again`,
      );
    }
    await this.#write(path, found.bytes);
    return { state: "here", path };
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    try {
      try {
        await writeWholeFile(path, bytes, this.#now());
      } catch (error) {
        if (!FULL.has(codeOf(error))) throw error;
        // Room for what else is under way as well, else each of them looks through the whole folder.
        await this.#evict((held) => held - Math.max(bytes.length, BYTES_UNDER_WAY));
        await writeWholeFile(path, bytes, this.#now());
      }
    } catch (cause) {
      const folder = `cache folder ${this.#folder.path}`;
      const problem = FULL.has(codeOf(cause))
        ? `${folder} has no room for ${bytes.length} bytes: free space`
        : `${folder} cannot be written (${codeOf(cause) ?? String(cause)}): check its permissions`;
      throw new StoreRefusedError(`${problem}, or name another folder as cacheDir`, { cause });
    }
  }

  /** Looks through the folder after the first downloads, and whenever there is too much in it. */
  async #keepWithin(addedBytes: number): Promise<void> {
    const held = this.#heldBytes === undefined ? undefined : this.#heldBytes + addedBytes;
    this.#heldBytes = held;
    if (held !== undefined && held <= this.#maxBytes) return;
    try {
      await this.#evict((found) => (found > this.#maxBytes ? this.#maxBytes * (1 - FREE_SHARE) : found));
    } catch {
      // The files asked for are here: that others could not be removed is no error of theirs.
    }
  }

  #evict(keep: (held: number) => number): Promise<void> {
    return this.#evictions(async () => {
      const { path: folder } = this.#folder;
      const evictable = this.#objectsFolder();
      this.#heldBytes = await evictFiles({ folder, evictable, keep, nowMs: this.#now() });
    });
  }

  /** Whether the file is here in its size. Its use is noted, so that no process evicts it for an hour. */
  #isHere(path: string, bytes: number): boolean {
    try {
      const found = statSync(path, { throwIfNoEntry: false });
      if (found === undefined || !found.isFile() || found.size !== bytes) return false;
      this.#noteUse(path, found);
      return true;
    } catch {
      return false; // evicted just now, or in a folder that cannot be read: the download says so
    }
  }

  #noteUse(path: string, { atimeMs, mtimeMs }: Stats): void {
    const now = this.#now();
    if (now - Math.max(atimeMs, mtimeMs) <= NOTE_USE_MS) return;
    try {
      utimesSync(path, now / 1000, mtimeMs / 1000);
    } catch (error) {
      if (codeOf(error) === "ENOENT") throw error; // in a read-only folder nothing is evicted
    }
  }

  #objectsFolder(): string {
    return join(this.#folder.path, "objects");
  }

  /** `objects/raw-data/2024-05-31-batch-3.0a1b2c3d4e5f6071.parquet`: a name from a listing leads nowhere else. */
  #pathOf({ key, mark }: StoredObject): string {
    assertSafeKey(key);
    const nameAt = key.lastIndexOf("/") + 1;
    const dot = key.lastIndexOf(".");
    const end = dot > nameAt ? dot : key.length;
    const hash = createHash("sha256").update(`${key}\n${mark}`).digest("hex").slice(0, 16);
    return `${this.#objectsFolder()}${sep}${key.slice(0, end)}.${hash}${key.slice(end)}`;
  }
}
