import * as z from "zod";
import type { CacheFolder } from "./cache-folder.ts";

/** The month in an object's key, which names the file that it is remembered in. */
const MONTH = /\d{4}-\d{2}/;

interface Marked<Entry> {
  readonly mark: string;
  readonly entry: Entry;
}

/** What is known of an object, and of the one before it: a reader without its store goes by its last look at it. */
interface Found<Entry> extends Marked<Entry> {
  readonly before?: Marked<Entry> | undefined;
}

interface Shard<Entry> {
  readonly entries: Record<string, Found<Entry>>;
  isChanged: boolean;
}

/**
 * What was found out about objects, while they keep their mark: in memory, and in the cache folder from one process to the
 * next, a file a month. Two processes may share it: the one that saves last wins, and what is lost is found out again.
 */
export class Remembered<Entry> {
  readonly #folder: CacheFolder;
  readonly #name: string;
  readonly #schema: z.ZodType<Record<string, Found<Entry>>>;
  readonly #shards = new Map<string, Shard<Entry>>();

  /** @param name of the kind of things remembered; a part of file names. */
  constructor(folder: CacheFolder, name: string, entry: z.ZodType<Entry>) {
    this.#folder = folder;
    this.#name = name;
    const marked = z.object({ mark: z.string(), entry });
    this.#schema = z.record(z.string(), marked.extend({ before: marked.optional() }));
  }

  /** Reads what earlier processes saved of the keys' months. */
  async load(keys: readonly string[]): Promise<void> {
    const months = new Set(keys.map(monthOf));
    await Promise.all([...months].filter((month) => !this.#shards.has(month)).map((month) => this.#loadShard(month)));
  }

  async #loadShard(month: string): Promise<void> {
    const entries = await this.#folder.readJson(this.#fileOf(month), this.#schema);
    if (!this.#shards.has(month)) this.#shards.set(month, { entries: entries ?? {}, isChanged: false });
  }

  /** What is remembered of an object with this mark, once {@link load} was asked for its key. */
  get(key: string, mark: string): Entry | undefined {
    const found = this.#shards.get(monthOf(key))?.entries[key];
    return found?.mark === mark ? found.entry : found?.before?.mark === mark ? found.before.entry : undefined;
  }

  /** Remembers; on disk with the next {@link save}. */
  set(key: string, mark: string, entry: Entry): void {
    const month = monthOf(key);
    let shard = this.#shards.get(month);
    if (shard === undefined) {
      shard = { entries: {}, isChanged: false };
      this.#shards.set(month, shard);
    }
    const known = shard.entries[key];
    const before =
      known === undefined || known.mark === mark ? known?.before : { mark: known.mark, entry: known.entry };
    shard.entries[key] = { mark, entry, ...(before !== undefined && { before }) };
    shard.isChanged = true;
  }

  async save(): Promise<void> {
    for (const [month, shard] of this.#shards) {
      if (!shard.isChanged) continue;
      shard.isChanged = false;
      await this.#folder.writeJson(this.#fileOf(month), shard.entries);
    }
  }

  #fileOf(month: string): string {
    return `${this.#name}-${month}.json`;
  }
}

function monthOf(key: string): string {
  return MONTH.exec(key)?.[0] ?? "other";
}
