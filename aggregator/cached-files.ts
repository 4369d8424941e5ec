import { hash } from "node:crypto";
import { type Stats, statSync, utimesSync } from "node:fs";
import { join, sep } from "node:path";
import pLimit from "p-limit";
import { StoreRefusedError } from "../domain/errors.ts";
import { assertSafeKey } from "../domain/object-keys.ts";
import type { StoredObject } from "../domain/object-store.ts";
import { codeOf } from "../stores/error-code.ts";
import type { CacheFolder } from "./cache-folder.ts";
import { evictFiles, IN_USE_MS } from "./evict-files.ts";
import { writeWholeFile } from "./whole-file.ts";

/** After an eviction so much of the room is free, that not every fetch looks through the whole folder. */
const FREE_SHARE = 0.1;
/** A use is noted on the file when the last note is so old: well before the file counts as no longer used. */
const NOTE_USE_MS = IN_USE_MS / 2;
/** On a full disk at least so much is made free, that not every write looks through the whole folder: 64 MiB. */
const ROOM_BYTES = 64 * 1024 * 1024;
/** No room on the disk, in the quota, or for a file of this size. */
const FULL: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** How much is kept, and for whom the time runs. */
export interface CachedFilesOptions {
  /** Bytes that all files may hold; files used in the last hour stay, even where they are more. */
  readonly maxBytes: number;
  /** The time, in milliseconds since 1970, by which a file's last use is known. */
  readonly now: () => number;
}

/** The files of a store's objects in its cache folder, which other processes may use as well. */
export class CachedFiles {
  readonly #folder: string;
  readonly #objectsFolder: string;
  readonly #maxBytes: number;
  readonly #now: () => number;
  readonly #evictions = pLimit(1);
  /** Bytes in the folder as far as this process knows; undefined until it has looked. */
  #heldBytes: number | undefined;

  constructor({ path }: CacheFolder, { maxBytes, now }: CachedFilesOptions) {
    this.#folder = path;
    this.#objectsFolder = join(path, "objects");
    this.#maxBytes = maxBytes;
    this.#now = now;
  }

  /**
   * Where an object's file is or shall be: `objects/raw-data/2024-05-31-batch-3.0a1b2c3d4e5f6071.parquet`, another with
   * each mark.
   * @throws InvalidInputError for an unsafe key: a name from a listing must not lead elsewhere.
   */
  pathOf({ key, mark }: StoredObject): string {
    assertSafeKey(key);
    const dot = key.lastIndexOf(".");
    const end = dot > key.lastIndexOf("/") ? dot : key.length;
    const version = hash("sha256", `${key}\n${mark}`).slice(0, 16);
    return `${this.#objectsFolder}${sep}${key.slice(0, end)}.${version}${key.slice(end)}`;
  }

  /** Whether a file is here in this size. Its use is noted, so that no process evicts it for half an hour at least. */
  has(path: string, bytes: number): boolean {
    try {
      const found = statSync(path, { throwIfNoEntry: false });
      if (found === undefined || !found.isFile() || found.size !== bytes) return false;
      this.#noteUse(path, found);
      return true;
    } catch {
      return false; // evicted just now, or in a folder that cannot be read: the write says so
    }
  }

  /**
   * Writes a file whole; on a full disk once more, after files used least recently were removed.
   * @throws StoreRefusedError where there is no room or the folder cannot be written; nothing of the file stays.
   */
  async write(path: string, bytes: Uint8Array): Promise<void> {
    try {
      try {
        await writeWholeFile(path, bytes, this.#now());
      } catch (error) {
        if (!FULL.has(codeOf(error))) throw error;
        await this.#evict((held) => held - Math.max(bytes.length, ROOM_BYTES));
        await writeWholeFile(path, bytes, this.#now());
      }
    } catch (cause) {
      const folder = `cache folder ${this.#folder}`;
      const problem = FULL.has(codeOf(cause))
        ? `${folder} has no room for ${bytes.length} bytes: free space`
        : `${folder} cannot be written (${codeOf(cause) ?? String(cause)}): check its permissions`;
      throw new StoreRefusedError(`${problem}, or name another folder as cacheDir`, { cause });
    }
  }

  /** Looks through the folder after the first bytes that are added, and whenever there are too many in it. */
  async keepWithin(addedBytes: number): Promise<void> {
    this.#heldBytes = this.#heldBytes === undefined ? undefined : this.#heldBytes + addedBytes;
    if (this.#heldBytes !== undefined && this.#heldBytes <= this.#maxBytes) return;
    try {
      await this.#evict((held) => (held > this.#maxBytes ? this.#maxBytes * (1 - FREE_SHARE) : held));
    } catch {
      // The files asked for are here: that others could not be removed is no error of theirs.
    }
  }

  #evict(keep: (held: number) => number): Promise<void> {
    return this.#evictions(async () => {
      const [folder, evictable] = [this.#folder, this.#objectsFolder];
      this.#heldBytes = await evictFiles({ folder, evictable, keep, nowMs: this.#now() });
    });
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
}
