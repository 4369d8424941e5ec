import { runKey } from "../domain/object-keys.ts";
import type { ObjectStore, StoredObject } from "../domain/object-store.ts";
import { fileObjects } from "../stores/file-objects.ts";
import type { SkippedFile } from "./coverage.ts";
import type { FetchResult, ObjectCache } from "./object-cache.ts";
import type { Progress } from "./progress.ts";

/** A raw-data file to be read. */
export interface WantedFile {
  readonly key: string;
  /** The trading date that its key names. */
  readonly date: string;
  /** The hash that the date's run summary names; undefined where there is no summary. */
  readonly sha256: string | undefined;
}

/** A file that cannot be read. */
export interface BadFile extends SkippedFile {
  readonly date: string;
}

interface Listed {
  readonly wanted: WantedFile;
  readonly object: StoredObject;
}

/** A raw-data file in a place of this machine. */
export interface LocalFile extends Listed {
  readonly path: string;
  readonly localMark: string;
  /** Whether it is a copy that was in the cache before. */
  readonly isOldCopy: boolean;
}

/** Brings raw-data files to places of this machine: those of a local store are there, those of S3 come through the cache. */
export class LocalFiles {
  readonly #store: ObjectStore;
  readonly #cache: ObjectCache;
  readonly #progress: Progress;

  constructor(store: ObjectStore, cache: ObjectCache, progress: Progress) {
    this.#store = store;
    this.#cache = cache;
    this.#progress = progress;
  }

  /** The files, in places of this machine; those that are not there are told. */
  async fetch(wanted: readonly WantedFile[], bad: BadFile[]): Promise<LocalFile[]> {
    const objects = await this.#store.stat(wanted.map(({ key }) => key));
    const present = objects.filter((object) => object !== undefined);
    const report = (progress: { files: number; of: number }): void =>
      this.#progress({ stage: "fetching", done: progress.files, of: progress.of });
    const fetched = await this.#cache.fetch(present, report);
    const listed: Listed[] = [];
    for (const [index, each] of wanted.entries()) {
      const object = objects[index];
      if (object === undefined) bad.push({ ...dated(each), reason: missingFile(each) });
      else listed.push({ wanted: each, object });
    }
    return this.#arrived(listed, fetched, bad);
  }

  /** The files of what was fetched. */
  async #arrived(
    listed: readonly Listed[],
    fetched: ReadonlyMap<string, FetchResult>,
    bad: BadFile[],
  ): Promise<LocalFile[]> {
    const [first] = listed;
    const isLocal = first !== undefined && this.#store.localPath(first.object.key) !== undefined;
    const files: LocalFile[] = [];
    for (const { wanted, object } of listed) {
      const result = fetched.get(object.key);
      if (result?.state === "here") {
        const isOldCopy = !isLocal && !result.isNew;
        files.push({ wanted, object, path: result.path, localMark: object.mark, isOldCopy });
      } else if (result?.state === "gone") bad.push({ ...dated(wanted), reason: missingFile(wanted) });
      else bad.push({ ...dated(wanted), reason: "it changed while it was read; try again" });
    }
    if (isLocal) return files;
    const here = await fileObjects(files.map(({ wanted: { key }, path }) => ({ key, path })));
    return files.map((file, index) => ({ ...file, localMark: here[index]?.mark ?? "" }));
  }

  /** Fetches files again whose copies are not what was fetched. @throws StoreUnavailableError where that cannot be done now. */
  async fetchAgain(files: readonly LocalFile[], bad: BadFile[]): Promise<LocalFile[]> {
    return this.#arrived(files, await this.#cache.fetchAgain(files.map(({ object }) => object)), bad);
  }
}

/** What tells a bad file. */
export function dated({ key, date }: WantedFile): { key: string; date: string } {
  return { key, date };
}

function missingFile({ date, sha256: named }: WantedFile): string {
  return named === undefined
    ? "it vanished while it was read; try again"
    : `it is missing, but ${runKey(date)} names it; restore it, or run the date again`;
}
