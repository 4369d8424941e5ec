import { readFile } from "node:fs/promises";
import * as z from "zod";
import { messageOf, StoreUnavailableError } from "../domain/errors.ts";
import { curatedManifestKey } from "../domain/object-keys.ts";
import type { ObjectStore, StoredObject } from "../domain/object-store.ts";
import { fileObjects } from "../stores/file-objects.ts";
import { checkFrame } from "../stores/parquet-frame.ts";
import { sha256 } from "../stores/sha256.ts";
import type { CuratedFile } from "./curated-manifest.ts";
import { fileForm } from "./file-form.ts";
import type { FetchResult, ObjectCache } from "./object-cache.ts";
import { isUnreached } from "./outage.ts";
import type { Progress } from "./progress.ts";
import type { Remembered } from "./remembered.ts";

/** What was found in a compacted file. */
export const knownCurated = z.object({ sha256: z.string(), localMark: z.string() });
export type KnownCurated = z.infer<typeof knownCurated>;

/** A compacted file in a place where the engine can read it, or why it cannot be read. */
export type CuratedState =
  | { readonly path: string; readonly localMark: string; readonly mark: string }
  | { readonly problem: string };

const REMEDY =
  "restore it, or delete curated/manifest.json and compact again, where the daily files are all there (compaction leaves them as they are)";

/** Makes compacted files ready to be read: each is compared once with the hash that the manifest names. */
export class CuratedFiles {
  readonly #store: ObjectStore;
  readonly #cache: ObjectCache;
  readonly #known: Remembered<KnownCurated>;
  readonly #progress: Progress;

  constructor(store: ObjectStore, cache: ObjectCache, known: Remembered<KnownCurated>, progress: Progress) {
    this.#store = store;
    this.#cache = cache;
    this.#known = known;
    this.#progress = progress;
  }

  /** The state of each file, by key. */
  async ready(files: readonly CuratedFile[]): Promise<Map<string, CuratedState>> {
    const states = new Map<string, CuratedState>();
    if (files.length === 0) return states;
    const objects = await this.#store.stat(files.map(({ key }) => key));
    await this.#known.load(files.map(({ key }) => key));
    const fetched = await this.#cache.fetch(
      objects.filter((object) => object !== undefined),
      ({ files: done, of }) => this.#progress({ stage: "fetching", done, of }),
    );
    for (const [index, file] of files.entries()) {
      const object = objects[index];
      const result = fetched.get(file.key);
      let state = await this.#stateOf(file, object, result);
      if ("problem" in state && object !== undefined && result?.state === "here" && !result.isNew) {
        state = await this.#fetchedAgain(file, object, state);
      }
      states.set(file.key, state);
    }
    await this.#known.save();
    return states;
  }

  /** The copy in the cache may be what is damaged. */
  async #fetchedAgain(
    file: CuratedFile,
    object: StoredObject,
    state: { readonly problem: string },
  ): Promise<CuratedState> {
    try {
      return await this.#stateOf(file, object, (await this.#cache.fetchAgain([object])).get(file.key));
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || isUnreached(error)) throw error;
      return { problem: `${state.problem}; or its copy in the cache is damaged: ${error.message}` };
    }
  }

  async #stateOf(
    { key, sha256: named }: CuratedFile,
    object: StoredObject | undefined,
    result: FetchResult | undefined,
  ): Promise<CuratedState> {
    if (object === undefined || result?.state === "gone") {
      return { problem: `it is missing, but ${curatedManifestKey} names it; ${REMEDY}` };
    }
    if (result?.state !== "here") return { problem: "it changed while it was read; try again" };
    const { path } = result;
    const [here] = await fileObjects([{ key, path }]);
    const localMark = here?.mark ?? "";
    let known = this.#known.get(key, object.mark);
    if (known?.localMark !== localMark) {
      try {
        const bytes = await readFile(path);
        known = { sha256: sha256(bytes), localMark };
        const problem = known.sha256 === named ? problemOf(bytes) : undefined;
        if (problem !== undefined) return { problem };
      } catch (error) {
        return { problem: `it cannot be read: ${messageOf(error)}; try again` };
      }
      this.#known.set(key, object.mark, known);
    }
    if (known.sha256 === named) return { path, localMark, mark: object.mark };
    return {
      problem: `it is damaged: its SHA-256 is ${known.sha256}, and ${curatedManifestKey} names ${named}; ${REMEDY}`,
    };
  }
}

/** What keeps the very file that the manifest names from being read. */
function problemOf(bytes: Uint8Array): string | undefined {
  try {
    checkFrame(bytes);
    const { lacks } = fileForm(bytes);
    return lacks.length === 0 ? undefined : `it is no compacted file: it has no column ${lacks.join(", ")}; ${REMEDY}`;
  } catch (error) {
    return `it is no compacted file: ${messageOf(error)}; ${REMEDY}`;
  }
}
