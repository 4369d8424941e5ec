import { readFile } from "node:fs/promises";
import * as z from "zod";
import { messageOf, StoreUnavailableError } from "../domain/errors.ts";
import { backfillKey, parseHistoryKey } from "../domain/object-keys.ts";
import type { ObjectStore, StoredObject } from "../domain/object-store.ts";
import { fileObjects } from "../stores/file-objects.ts";
import { checkFrame } from "../stores/parquet-frame.ts";
import { sha256 } from "../stores/sha256.ts";
import type { SkippedFile } from "./coverage.ts";
import { formReader } from "./file-look.ts";
import type { HistoryFile } from "./history-record.ts";
import type { FetchResult, ObjectCache } from "./object-cache.ts";
import { isUnreached } from "./outage.ts";
import type { Progress } from "./progress.ts";
import type { Remembered } from "./remembered.ts";

/** What was found in a file of a backfill. */
export const knownHistory = z.object({
  sha256: z.string(),
  localMark: z.string(),
  /** Columns that it lacks: they are null. */
  lacks: z.array(z.string()),
  /** The types of its columns as far as they are not the usual ones. */
  types: z.string(),
});
export type KnownHistory = z.infer<typeof knownHistory>;

/** A file of a backfill that was found right, in a place where the engine can read it. */
export interface ReadyHistoryFile extends KnownHistory {
  readonly key: string;
  readonly path: string;
  /** The object's mark in the store. */
  readonly mark: string;
}

/** The files that can be read, by key, and those that cannot. */
export interface HistoryFileSet {
  readonly ready: ReadonlyMap<string, ReadyHistoryFile>;
  readonly bad: readonly SkippedFile[];
}

type FileState = ReadyHistoryFile | { readonly problem: string };

/**
 * Makes files of backfills ready to be read: each is compared once with the hash that its record names, and its columns are
 * looked at. That is remembered as long as the file keeps its mark.
 */
export class HistoryFiles {
  readonly #store: ObjectStore;
  readonly #cache: ObjectCache;
  readonly #known: Remembered<KnownHistory>;
  readonly #progress: Progress;

  constructor(store: ObjectStore, cache: ObjectCache, known: Remembered<KnownHistory>, progress: Progress) {
    this.#store = store;
    this.#cache = cache;
    this.#known = known;
    this.#progress = progress;
  }

  /** Fetches the files that are not here, and looks at those that were not looked at. */
  async ready(files: readonly HistoryFile[]): Promise<HistoryFileSet> {
    const ready = new Map<string, ReadyHistoryFile>();
    const bad: SkippedFile[] = [];
    if (files.length === 0) return { ready, bad };
    const keys = files.map(({ key }) => key);
    const objects = await this.#store.stat(keys);
    await this.#known.load(keys);
    const fetched = await this.#cache.fetch(
      objects.filter((object) => object !== undefined),
      ({ files: done, of }) => this.#progress({ stage: "fetching", done, of }),
    );
    const here = await fileObjects(
      files.flatMap(({ key }) => {
        const result = fetched.get(key);
        return result?.state === "here" ? [{ key, path: result.path }] : [];
      }),
    );
    const localMarks = new Map(here.flatMap((object) => (object === undefined ? [] : [[object.key, object.mark]])));
    for (const [index, file] of files.entries()) {
      const { key } = file;
      const object = objects[index];
      const result = fetched.get(key);
      let state = await this.#stateOf(file, object, result, localMarks.get(key));
      if ("problem" in state && object !== undefined && result?.state === "here" && !result.isNew) {
        state = await this.#fetchedAgain(file, object, state);
      }
      if ("problem" in state) bad.push({ key, reason: state.problem });
      else ready.set(key, state);
    }
    await this.#known.save();
    return { ready, bad };
  }

  /** The copy in the cache may be what is damaged; a file of this machine is what it is. */
  async #fetchedAgain(
    file: HistoryFile,
    object: StoredObject,
    state: { readonly problem: string },
  ): Promise<FileState> {
    if (this.#store.localPath(file.key) !== undefined) return state;
    try {
      const result = (await this.#cache.fetchAgain([object])).get(file.key);
      const [here] = result?.state === "here" ? await fileObjects([{ key: file.key, path: result.path }]) : [];
      return await this.#stateOf(file, object, result, here?.mark);
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || isUnreached(error)) throw error;
      return { problem: `${state.problem}; or its copy in the cache is damaged: ${error.message}` };
    }
  }

  async #stateOf(
    file: HistoryFile,
    object: StoredObject | undefined,
    result: FetchResult | undefined,
    localMark = "",
  ): Promise<FileState> {
    const { key, sha256: named } = file;
    if (object === undefined || result?.state === "gone") {
      return { problem: `it is missing, but ${recordOf(key)} names it; ${remedy(key)}` };
    }
    if (result?.state !== "here") return { problem: "it changed while it was read; try again" };
    const { path } = result;
    let known = this.#known.get(key, object.mark);
    if (known?.localMark !== localMark) {
      const found = await look(file, path, localMark);
      if (typeof found === "string") return { problem: found };
      known = found;
      this.#known.set(key, object.mark, known);
    }
    if (known.sha256 === named) return { ...known, key, path, mark: object.mark };
    return { problem: otherFile(key, known.sha256, named) };
  }
}

/** Looks at a file's bytes: what they are, or what is wrong with them. Nothing in them is trusted before the hash. */
async function look(
  { key, sha256: named }: HistoryFile,
  path: string,
  localMark: string,
): Promise<KnownHistory | string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    return `it cannot be read: ${messageOf(error)}; check its permissions, or try again`;
  }
  const hash = sha256(bytes);
  if (hash !== named) return otherFile(key, hash, named);
  try {
    checkFrame(bytes);
    return { sha256: hash, localMark, ...(await formReader())(bytes) };
  } catch (error) {
    return `it is no file of a backfill: ${messageOf(error)}; ${remedy(key)}`;
  }
}

function otherFile(key: string, found: string, named: string): string {
  return `it is damaged, or not the file that ${recordOf(key)} names: its SHA-256 is ${found}, not ${named}; ${remedy(key)}`;
}

function recordOf(key: string): string {
  const name = parseHistoryKey(key);
  return name === undefined ? "a record" : backfillKey(name);
}

function remedy(key: string): string {
  return `restore it, or delete it with ${recordOf(key)} and run the backfill again: what is stored is not fetched again`;
}
