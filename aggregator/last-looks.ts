import { hash } from "node:crypto";
import * as z from "zod";
import type { StoredObject } from "../domain/object-store.ts";
import { tradingDate } from "../domain/trading-date.ts";
import type { CacheFolder } from "./cache-folder.ts";
import type { DateRange } from "./catalog.ts";
import { type CuratedManifest, curatedManifest } from "./curated-manifest.ts";

/** What was looked at of a range: run summaries, records of backfills, files of bars of all kinds, and the manifest, as far as bars are read by them. */
export interface LookedAt {
  readonly objects: readonly StoredObject[];
  /** Keys of files that were to be read and not there. */
  readonly absent: readonly string[];
}

/** What a store held of a range of dates when it was looked at last. */
export interface LastLook {
  readonly range: DateRange;
  /** When, in milliseconds since 1970. */
  readonly atMs: number;
  readonly files: LookedAt;
  /** The manifest, where there was one. */
  readonly manifest: CuratedManifest | undefined;
}

/** A look as it was kept. */
export interface KeptLook extends LastLook {
  /** Another with each look. */
  readonly id: string;
}

/** The looks kept, and the objects in all of them: some 120 bytes each on disk. */
const MOST_LOOKS = 32;
const MOST_OBJECTS = 200_000;

const INDEX = "looks.json";

const indexEntry = z.object({
  range: z.object({ from: tradingDate, to: tradingDate }).nullable(),
  atMs: z.number(),
  /** The name of what was looked at. */
  files: z.string().regex(/^[0-9a-f]{32}$/),
  count: z.number(),
  /** The name of its manifest; null where there was none. */
  manifest: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .nullable(),
});
type IndexEntry = z.infer<typeof indexEntry>;
const index = z.array(indexEntry);
const lookedAt = z.object({
  objects: z.array(z.object({ key: z.string(), bytes: z.number(), mark: z.string() })),
  absent: z.array(z.string()),
});

/**
 * The last looks at a store, in its cache folder: what is read by where the store cannot be reached. A look at a wider range
 * stands for those within it. Two processes may keep theirs at once; at worst one look is lost.
 */
export class LastLooks {
  readonly #folder: CacheFolder;
  readonly #names = new WeakMap<object, string>();

  constructor(folder: CacheFolder) {
    this.#folder = folder;
  }

  /** Keeps a look instead of the earlier ones within its range. One that found nothing new costs a line in the index. */
  async keep({ range, atMs, files, manifest }: LastLook): Promise<void> {
    const entry: IndexEntry = {
      range,
      atMs,
      files: this.#nameOf(files),
      count: files.objects.length,
      manifest: manifest === undefined ? null : this.#nameOf(manifest),
    };
    const before = await this.#index();
    const others = before.filter((other) => !isWithinRange(other.range, range));
    const after = within([entry, ...others.toSorted((one, other) => other.atMs - one.atMs)]);
    const [was, is] = [fileNames(before), fileNames(after)];
    if (!was.has(filesFile(entry.files))) await this.#folder.writeJson(filesFile(entry.files), files);
    if (entry.manifest !== null && !was.has(manifestFile(entry.manifest))) {
      await this.#folder.writeJson(manifestFile(entry.manifest), manifest);
    }
    await this.#folder.writeJson(INDEX, after);
    for (const name of was) if (!is.has(name)) await this.#folder.remove(name);
  }

  /** The latest look that holds a whole range; undefined where none does. */
  async find(range: DateRange): Promise<KeptLook | undefined> {
    const wide = (await this.#index()).filter((look) => isWithinRange(range, look.range));
    for (const look of wide.toSorted((one, other) => other.atMs - one.atMs)) {
      const files = await this.#folder.readJson(filesFile(look.files), lookedAt);
      const manifest =
        look.manifest === null
          ? undefined
          : await this.#folder.readJson(manifestFile(look.manifest), curatedManifest.optional());
      if (files === undefined || (look.manifest !== null && manifest === undefined)) continue; // damaged, or removed meanwhile
      return { id: JSON.stringify(look), range: look.range, atMs: look.atMs, files, manifest };
    }
    return undefined;
  }

  /** By its content; that of the same list is reckoned once. */
  #nameOf(value: object): string {
    let name = this.#names.get(value);
    name ??= hash("sha256", JSON.stringify(value)).slice(0, 32);
    this.#names.set(value, name);
    return name;
  }

  async #index(): Promise<IndexEntry[]> {
    return (await this.#folder.readJson(INDEX, index)) ?? [];
  }
}

function isWithinRange(inner: DateRange, outer: DateRange): boolean {
  return outer === null || (inner !== null && inner.from >= outer.from && inner.to <= outer.to);
}

/** The first of the looks, as many as are kept; the newest whatever its size. */
function within(looks: readonly IndexEntry[]): IndexEntry[] {
  let count = 0;
  return looks.slice(0, MOST_LOOKS).filter((look, place) => {
    count += look.count;
    return place === 0 || count <= MOST_OBJECTS;
  });
}

function fileNames(looks: readonly IndexEntry[]): Set<string> {
  return new Set(
    looks.flatMap(({ files, manifest }) => [filesFile(files), ...(manifest === null ? [] : [manifestFile(manifest)])]),
  );
}

function filesFile(name: string): string {
  return `looks/${name}.json`;
}

function manifestFile(name: string): string {
  return `looks/manifest-${name}.json`;
}
