import { readFile } from "node:fs/promises";
import pLimit from "p-limit";
import { messageOf, StoredFileError, StoreUnavailableError } from "../domain/errors.ts";
import type { StoredObject } from "../domain/object-store.ts";
import { mapInTurns } from "../stores/file-objects.ts";
import { sha256 } from "../stores/sha256.ts";
import { BAR_COLUMN_NAMES, selectBars } from "./bars-relation.ts";
import type { Engine } from "./engine.ts";
import { formReader, type KnownFile, type Look, look, otherFile, REMEDY } from "./file-look.ts";
import { countRows } from "./file-rows.ts";
import { type BadFile, dated, type LocalFile, type LocalFiles, type WantedFile } from "./local-files.ts";
import { isUnreached } from "./outage.ts";
import type { Progress } from "./progress.ts";
import type { Remembered } from "./remembered.ts";
import { holdSameBars } from "./same-bars.ts";

/** A file that was found right, in a place where the engine can read it. */
export interface ReadyFile extends KnownFile {
  readonly key: string;
  readonly date: string;
  /** Whether a run summary vouches for it. */
  readonly isNamed: boolean;
  readonly path: string;
  /** The object's mark in the store. */
  readonly mark: string;
}

/** The files that can be read, and those that cannot. */
export interface RawFileSet {
  readonly ready: readonly ReadyFile[];
  readonly bad: readonly BadFile[];
}

/** Files read in threads of their own at a time. */
const PARALLEL_READERS = 2;
/** Time that reading a file that nothing vouches for may take, in milliseconds. */
const DECODING_MS = 10_000;
const FILES_A_REPORT = 200;

/**
 * Makes raw-data files ready to be read. Each is looked at once, whole: its hash or seal, its columns, and that its rows are
 * of its date and each symbol's once. That is remembered as long as the file keeps its mark.
 */
export class RawFiles {
  readonly #files: LocalFiles;
  readonly #known: Remembered<KnownFile>;
  readonly #engine: Engine;
  readonly #progress: Progress;

  constructor(files: LocalFiles, known: Remembered<KnownFile>, engine: Engine, progress: Progress) {
    this.#files = files;
    this.#known = known;
    this.#engine = engine;
    this.#progress = progress;
  }

  /**
   * The hashes of files as far as they are remembered, without fetching one: by key.
   */
  async remembered(objects: readonly StoredObject[]): Promise<Map<string, string>> {
    await this.#known.load(objects.map(({ key }) => key));
    return new Map(
      objects.flatMap(({ key, mark }) => {
        const known = this.#known.get(key, mark);
        return known === undefined ? [] : [[key, known.sha256] as const];
      }),
    );
  }

  /** Fetches the files that are not here, and looks at those that were not looked at. */
  async ready(wanted: readonly WantedFile[]): Promise<RawFileSet> {
    const bad: BadFile[] = [];
    await this.#known.load(wanted.map(({ key }) => key));
    const files = await this.#renewed(await this.#files.fetch(wanted, bad), bad);
    const unknown = files.filter((file) => this.#knownOf(file) === undefined);
    if (unknown.length > 0) await this.#examine(unknown, bad);
    const ready: ReadyFile[] = [];
    for (const file of files) {
      const known = this.#knownOf(file);
      if (known === undefined) continue;
      const { wanted: each, path } = file;
      const { key, date } = each;
      const isNamed = each.sha256 !== undefined;
      if (isNamed && each.sha256 !== known.sha256) bad.push({ key, date, reason: otherFile(each, known.sha256) });
      else ready.push({ ...known, key, date, isNamed, path, mark: file.object.mark });
    }
    return { ready, bad };
  }

  /** Copies in the cache that are not what was fetched, after a power cut or by somebody's hand, are fetched again. */
  async #renewed(files: LocalFile[], bad: BadFile[]): Promise<LocalFile[]> {
    const copies = files.filter((file) => file.isOldCopy && this.#knownOf(file) === undefined);
    if (copies.length === 0) return files;
    const formOf = await formReader();
    const suspects = new Map<LocalFile, string>();
    await mapInTurns(copies, (file) => {
      const found = look(file, formOf);
      const before = this.#known.get(file.object.key, file.object.mark)?.sha256;
      if (typeof found === "string") suspects.set(file, found);
      else if (before !== undefined && before !== found.sha256) suspects.set(file, "it is not what was fetched");
    });
    if (suspects.size === 0) return files;
    const right = files.filter((file) => !suspects.has(file));
    try {
      return [...right, ...(await this.#files.fetchAgain([...suspects.keys()], bad))];
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || isUnreached(error)) throw error;
      for (const [{ wanted }, problem] of suspects) {
        bad.push({ ...dated(wanted), reason: `${problem}; or its copy in the cache is damaged: ${error.message}` });
      }
      return right;
    }
  }

  #knownOf({ object: { key, mark }, localMark }: LocalFile): KnownFile | undefined {
    const known = this.#known.get(key, mark);
    return known?.localMark === localMark ? known : undefined;
  }

  /** Looks at files whole, and remembers of those that are right what was found. */
  async #examine(files: readonly LocalFile[], bad: BadFile[]): Promise<void> {
    const found = new Map<LocalFile, Look>();
    const unsealed: LocalFile[] = [];
    const formOf = await formReader();
    let looked = 0;
    await mapInTurns(files, (file) => {
      looked += 1;
      if (looked % FILES_A_REPORT === 0) this.#progress({ stage: "checking", done: looked, of: 2 * files.length });
      const result = look(file, formOf);
      if (typeof result === "string") bad.push({ ...dated(file.wanted), reason: result });
      else {
        found.set(file, result);
        if (file.wanted.sha256 === undefined && !result.isSealed) unsealed.push(file);
      }
    });
    await this.#decode(unsealed, found, bad);
    const kept = [...found.keys()].map(({ path, wanted: { date } }) => ({ path, date }));
    const rows = await countRows(this.#engine, kept, (done) =>
      this.#progress({ stage: "checking", done: files.length + done, of: 2 * files.length }),
    );
    for (const [{ wanted, object, path }, each] of found) {
      const held = rows.get(path) ?? { rows: 0, symbols: null };
      if (typeof held === "string") bad.push({ ...dated(wanted), reason: `${held}; ${REMEDY}` });
      else this.#known.set(wanted.key, object.mark, { ...each, ...held });
    }
    await this.#known.save();
  }

  /** Files that nothing vouches for are read value by value, in a thread that can be ended. */
  async #decode(files: readonly LocalFile[], found: Map<LocalFile, Look>, bad: BadFile[]): Promise<void> {
    if (files.length === 0) return;
    const { decodeBatchFile } = await import("../stores/batch-file-reader.ts"); // with the Parquet library of JavaScript
    const reads = pLimit(PARALLEL_READERS);
    await reads.map(files, async (file) => {
      const { key } = file.wanted;
      try {
        const bytes = await readFile(file.path);
        const { bars } = await decodeBatchFile(key, bytes, Math.min(DECODING_MS, this.#engine.timeoutMs));
        const form = (await formReader())(bytes);
        const read = await this.#engine.query(selectBars([{ paths: [file.path], ...form }], BAR_COLUMN_NAMES));
        if (!holdSameBars(read, bars)) throw new Error("two readers find other values in it");
        found.set(file, { sha256: sha256(bytes), ...form, isSealed: false, localMark: file.localMark });
      } catch (error) {
        found.delete(file);
        const reason =
          error instanceof StoredFileError
            ? error.message.replace(`${key} is`, "it is")
            : `it is damaged or no batch file: ${messageOf(error)}; ${REMEDY}`;
        bad.push({ ...dated(file.wanted), reason });
      }
    });
  }
}
