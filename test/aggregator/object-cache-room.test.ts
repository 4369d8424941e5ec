import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CacheFolder, openCacheFolder } from "../../aggregator/cache-folder.ts";
import { type FetchResult, ObjectCache } from "../../aggregator/object-cache.ts";
import { StoreRefusedError } from "../../domain/errors.ts";
import type { StoredObject } from "../../domain/object-store.ts";
import { createMemoryStore, type MemoryStore } from "../support/memory-store.ts";

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2024, 4, 31);

let memory: MemoryStore;
let folder: string;
let cacheFolder: CacheFolder;
let nowMs: number;

beforeEach(async () => {
  memory = createMemoryStore();
  folder = await mkdtemp(join(tmpdir(), "asx-eod-cache-"));
  cacheFolder = openCacheFolder({ folder, storeUrl: "s3://bucket", warn: (message) => expect.fail(message) });
  nowMs = START_MS;
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** A cache with room for ten objects of 1,000 bytes. */
function openCache(maxBytes = 10_000): ObjectCache {
  return new ObjectCache(memory, cacheFolder, { maxBytes, now: () => nowMs });
}

/** Stores objects of 1,000 bytes and lists them. */
async function put(...names: string[]): Promise<StoredObject[]> {
  for (const name of names) await memory.put(`raw-data/${name}`, new Uint8Array(1_000).fill(name.charCodeAt(0)));
  return (await memory.stat(names.map((name) => `raw-data/${name}`))).filter((object) => object !== undefined);
}

/** Names of the objects that are in the cache, temporary files too. */
async function held(): Promise<string[]> {
  const names = await readdir(join(cacheFolder.path, "objects", "raw-data"));
  return names.map((name) => name.replace(/\.[0-9a-f]{16}$/, "")).toSorted();
}

function pathOf(result: FetchResult | undefined): string {
  return result?.state === "here" ? result.path : expect.fail("the object is not here");
}

describe("a cache that is over its size", () => {
  it("loses what was used least recently, however long ago it was fetched, until a tenth is free", async () => {
    const cache = openCache();
    for (const name of ["a", "b", "c", "d", "e"]) {
      await cache.fetch(await put(name));
      nowMs += HOUR_MS;
    }
    await cache.fetch(await put("a", "c"));
    nowMs += 2 * HOUR_MS;
    await cache.fetch(await put("1", "2", "3", "4", "5"));
    expect(await held()).toEqual(["1", "2", "3", "4", "5", "a", "b", "c", "d", "e"]);
    await cache.fetch(await put("6"));
    expect(await held()).toEqual(["1", "2", "3", "4", "5", "6", "a", "c", "e"]);
    await cache.fetch(await put("7", "8"));
    expect(await held()).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "c"]);
  });

  it("keeps what was used in the last hour, and what one fetch asks for, although it is too much", async () => {
    const cache = openCache();
    const names = Array.from({ length: 15 }, (_, index) => `n${index + 10}`);
    await cache.fetch(await put(...names));
    expect(await held()).toEqual(names);
    nowMs += HOUR_MS;
    await cache.fetch(await put("x"));
    expect(await held()).toEqual([...names, "x"]);
    await cache.fetch(await put("n10"));
    nowMs += 1;
    await cache.fetch(await put("y"));
    expect(await held()).toHaveLength(9);
    expect(await held()).toEqual(expect.arrayContaining(["n10", "x", "y"]));
  });

  it("counts what other processes have put there", async () => {
    const other = openCache();
    const cache = openCache();
    await cache.fetch(await put("a", "b"));
    nowMs += 2 * HOUR_MS;
    await other.fetch(await put("1", "2", "3", "4", "5", "6", "7", "8"));
    await openCache().fetch(await put("9"));
    expect(await held()).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
  });

  it("fetches again what was evicted", async () => {
    const cache = openCache(0);
    const [object] = await put("a");
    if (object === undefined) expect.fail("the object was not stored");
    const before = pathOf((await cache.fetch([object])).get(object.key));
    nowMs += 2 * HOUR_MS;
    await cache.fetch(await put("b"));
    expect(await held()).toEqual(["b"]);
    const again = pathOf((await cache.fetch([object])).get(object.key));
    expect(again).toBe(before);
    expect(await readFile(again)).toHaveLength(1_000);
  });

  it("leaves what is not an object of the store", async () => {
    await cacheFolder.writeJson("days.json", { dates: [] });
    await utimes(join(cacheFolder.path, "days.json"), START_MS / 1000, START_MS / 1000);
    nowMs += 100 * HOUR_MS;
    await openCache(0).fetch(await put("a"));
    expect((await readdir(cacheFolder.path)).toSorted()).toEqual(["days.json", "objects"]);
  });
});

describe("the temporary files of killed processes", () => {
  it("are removed when they are older than an hour, in every folder, and not before", async () => {
    const name = (digit: number): string => `.${String(digit).repeat(8)}-0000-4000-8000-000000000000.tmp`;
    const objects = join(cacheFolder.path, "objects", "raw-data");
    await mkdir(objects, { recursive: true });
    const old = [join(cacheFolder.path, name(1)), join(objects, name(2))];
    const young = [join(cacheFolder.path, name(3)), join(objects, name(4))];
    for (const path of [...old, ...young]) await writeFile(path, "half");
    for (const path of old) await utimes(path, START_MS / 1000 - 3_601, START_MS / 1000 - 3_601);
    for (const path of young) await utimes(path, START_MS / 1000 - 3_599, START_MS / 1000 - 3_599);
    await openCache().fetch(await put("a"));
    const left = await readdir(cacheFolder.path, { recursive: true });
    expect(left.filter((path) => path.endsWith(".tmp"))).toHaveLength(2);
    for (const path of young) expect((await stat(path)).isFile()).toBe(true);
  });
});

describe("a cache folder that cannot be written", () => {
  it("is named, with what to do, and is an error of the fetch", async () => {
    await mkdir(dirname(cacheFolder.path), { recursive: true });
    await writeFile(cacheFolder.path, "a file stands in its place");
    const error: unknown = await openCache()
      .fetch(await put("a"))
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StoreRefusedError);
    expect(error).toMatchObject({ message: expect.stringMatching(/cannot be written \(\w+\).*cacheDir/) });
    expect(error).toMatchObject({ message: expect.stringContaining(cacheFolder.path), cause: expect.any(Error) });
  });
});
