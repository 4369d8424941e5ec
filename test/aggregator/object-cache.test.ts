import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { DeleteObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openCacheFolder } from "../../aggregator/cache-folder.ts";
import { type FetchProgress, type FetchResult, ObjectCache } from "../../aggregator/object-cache.ts";
import { InvalidInputError, StoreUnavailableError } from "../../domain/errors.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { createS3Store } from "../../stores/s3-store.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { type S3Front, startS3Front } from "../support/s3-front.ts";
import { startS3Server, type TestS3Server } from "../support/s3-server.ts";

let server: TestS3Server;
let front: S3Front;
/** What a request is answered with instead of what the server says. */
let hinder: (request: string) => Promise<number | undefined>;
let bucket: string;
let store: ObjectStore;
let folder: string;

beforeAll(async () => {
  server = await startS3Server();
  front = await startS3Front(server.endpoint, (request) => hinder(request));
});

afterAll(async () => {
  await front.close();
  await server.close();
});

beforeEach(async () => {
  hinder = async () => undefined;
  bucket = await server.makeBucket();
  store = createS3Store({ bucket, prefix: "asx" }, front.configuration);
  folder = await mkdtemp(join(tmpdir(), "asx-eod-cache-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function cacheOf(of: ObjectStore = store, options: ConstructorParameters<typeof ObjectCache>[2] = {}): ObjectCache {
  const warn = (message: string): never => expect.fail(message);
  return new ObjectCache(of, openCacheFolder({ folder, storeUrl: of.url, warn }), options);
}

/** Stores batch files of one date, each with bytes of its own. */
async function putBatches(count: number, into: ObjectStore = store): Promise<Map<string, Uint8Array>> {
  const objects = new Map<string, Uint8Array>();
  for (let batch = 0; batch < count; batch += 1) {
    objects.set(`raw-data/2024-05-31-batch-${batch}.parquet`, new Uint8Array(1_000 + batch).fill(batch));
  }
  await Promise.all([...objects].map(([key, bytes]) => into.put(key, bytes)));
  front.requests.length = 0;
  return objects;
}

async function expectHere(results: Map<string, FetchResult>, objects: Map<string, Uint8Array>): Promise<void> {
  expect([...results.keys()].toSorted()).toEqual([...objects.keys()].toSorted());
  for (const [key, bytes] of objects) expect(await bytesOf(results.get(key))).toEqual(Buffer.from(bytes));
}

async function bytesOf(result: FetchResult | undefined): Promise<Uint8Array | undefined> {
  return result?.state === "here" ? readFile(result.path) : undefined;
}

function gets(): string[] {
  return front.requests.filter((request) => request.startsWith("GET "));
}

/** Paths of all files below the cache's folder. */
async function cachedFiles(): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe("objects of S3 in the cache", () => {
  it("are fetched once each, and never again while they are unchanged, by another cache on the folder either", async () => {
    const objects = await putBatches(40);
    const listed = await store.list("raw-data/");
    await expectHere(await cacheOf().fetch(listed), objects);
    expect(gets()).toHaveLength(40);
    front.requests.length = 0;
    const cache = cacheOf();
    await expectHere(await cache.fetch(listed), objects);
    await expectHere(await cache.fetch(await store.list("raw-data/")), objects);
    expect(gets()).toEqual([]);
  });

  it("are there offline once they were fetched", async () => {
    const objects = await putBatches(5);
    const listed = await store.list("raw-data/");
    await cacheOf().fetch(listed);
    hinder = async () => 503;
    await expectHere(await cacheOf().fetch(listed), objects);
  });

  it("are files that keep the object's folder, date, batch and extension, open to nobody else", async () => {
    await putBatches(1);
    const [result] = (await cacheOf().fetch(await store.list(""))).values();
    const path = result?.state === "here" ? result.path : "";
    expect(relative(folder, path)).toMatch(
      /^[\w-]+-asx-[0-9a-f]{16}\/objects\/raw-data\/2024-05-31-batch-0\.[0-9a-f]{16}\.parquet$/,
    );
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("are fetched anew where they have changed, and the file of the old ones stays for who reads it", async () => {
    const objects = await putBatches(3);
    const [before] = await store.list("raw-data/");
    const old = await cacheOf().fetch(await store.list("raw-data/"));
    objects.set("raw-data/2024-05-31-batch-0.parquet", new Uint8Array(1_000).fill(99));
    await store.put("raw-data/2024-05-31-batch-0.parquet", new Uint8Array(1_000).fill(99));
    front.requests.length = 0;
    const results = await cacheOf().fetch(await store.list("raw-data/"));
    await expectHere(results, objects);
    expect(gets()).toEqual(["GET asx/raw-data/2024-05-31-batch-0.parquet"]);
    expect(await bytesOf(old.get(before?.key ?? ""))).toEqual(Buffer.alloc(1_000, 0));
  });

  it("are reported where they changed after they were listed, or went with a deleted object", async () => {
    const objects = await putBatches(3);
    const listed = await store.list("raw-data/");
    await store.put("raw-data/2024-05-31-batch-1.parquet", new Uint8Array(1_001).fill(99));
    const client = new S3Client(server.configuration);
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: "asx/raw-data/2024-05-31-batch-2.parquet" }));
    client.destroy();
    const results = await cacheOf().fetch(listed);
    const [first, ...more] = [...objects.keys()].map((key) => results.get(key));
    expect(await bytesOf(first)).toEqual(Buffer.alloc(1_000, 0));
    expect(more).toEqual([{ state: "changed" }, { state: "gone" }]);
    expect(await cachedFiles()).toHaveLength(1);
  });

  it("are fetched again where a file was cut short or deleted", async () => {
    const objects = await putBatches(3);
    const listed = await store.list("raw-data/");
    await cacheOf().fetch(listed);
    const [cut, deleted] = await cachedFiles();
    await truncate(cut ?? "", 10);
    await rm(deleted ?? "");
    front.requests.length = 0;
    await expectHere(await cacheOf().fetch(listed), objects);
    expect(gets()).toHaveLength(2);
  });

  it("are fetched again where their bytes were found to be others", async () => {
    const objects = await putBatches(3);
    const listed = await store.list("raw-data/");
    await cacheOf().fetch(listed);
    const [damaged = ""] = (await cachedFiles()).filter((path) => path.includes("-batch-0."));
    await writeFile(damaged, new Uint8Array(1_000).fill(77));
    front.requests.length = 0;
    const cache = cacheOf();
    expect(await bytesOf((await cache.fetch(listed)).get(listed[0]?.key ?? ""))).toEqual(Buffer.alloc(1_000, 77));
    await cache.fetchAgain(listed.slice(0, 1));
    await expectHere(await cache.fetch(listed), objects);
    expect(gets()).toHaveLength(1);
  });

  it("are told apart where only the letters' case or the mark differs", async () => {
    const memory = createMemoryStore();
    for (const [index, key] of ["runs/a.json", "runs/A.json", "runs/a"].entries()) {
      await memory.put(key, Uint8Array.of(index));
    }
    const results = await cacheOf(memory).fetch(await memory.list(""));
    const names = [...results.values()].map((result) => (result.state === "here" ? basename(result.path) : ""));
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(3);
  });

  it("of an unsafe key are refused, and nothing is written", async () => {
    for (const key of ["../../x", "raw-data/../../x", "/etc/x"]) {
      await expect(cacheOf().fetch([{ key, bytes: 1, mark: "1" }])).rejects.toThrow(InvalidInputError);
    }
    expect(await cachedFiles()).toEqual([]);
  });
});

describe("a fetch", () => {
  it("tells how far it is, of what was not here", async () => {
    const objects = await putBatches(5);
    const listed = await store.list("raw-data/");
    await cacheOf().fetch(listed.slice(0, 2));
    const told: FetchProgress[] = [];
    await cacheOf().fetch(listed, (progress) => told.push(progress));
    expect(told.map(({ files, of }) => [files, of])).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
    expect(told.at(-1)?.bytes).toBe([...objects.values()].slice(2).reduce((sum, { length }) => sum + length, 0));
    await cacheOf().fetch(listed, () => expect.fail("nothing was to be fetched"));
  });

  it("has at most 16 downloads under way", async () => {
    await putBatches(60);
    let underWay = 0;
    let most = 0;
    let left = 60;
    let release = Promise.withResolvers<void>();
    hinder = async (request) => {
      if (!request.startsWith("GET ")) return undefined;
      underWay += 1;
      most = Math.max(most, underWay);
      if (underWay === Math.min(16, left)) {
        left -= underWay;
        underWay = 0;
        release.resolve();
        release = Promise.withResolvers();
      } else await release.promise;
      return undefined;
    };
    expect((await cacheOf().fetch(await store.list("raw-data/"))).size).toBe(60);
    expect(most).toBe(16);
  });

  it("waits for the download of another fetch of the same cache, and does not ask again", async () => {
    const objects = await putBatches(40);
    const listed = await store.list("raw-data/");
    const held = Promise.withResolvers<undefined>();
    hinder = async (request) => (request.includes("-batch-0.") ? held.promise : undefined);
    const cache = cacheOf();
    const first = cache.fetch(listed);
    const second = cache.fetch(listed, ({ files }) => {
      if (files === 39) held.resolve(undefined);
    });
    await expectHere(await second, objects);
    await expectHere(await first, objects);
    expect(gets()).toHaveLength(40);
  });

  it("has at most 64 MiB under way, and a larger object alone", async () => {
    const memory = createMemoryStore();
    const sizes = [30, 30, 30, 70, 1, 1].map((mebibytes) => mebibytes * 1024 * 1024);
    for (const [index, size] of sizes.entries()) {
      await memory.put(`raw-data/2024-05-3${index}.parquet`, new Uint8Array(size));
    }
    const sizeOf = (key: string): number => memory.objects.get(key)?.length ?? 0;
    let underWay: string[] = [];
    let most = 0;
    const watched: ObjectStore = {
      ...memory,
      async read(key) {
        underWay.push(key);
        const bytes = underWay.reduce((sum, each) => sum + sizeOf(each), 0);
        if (underWay.length > 1) most = Math.max(most, bytes);
        const found = await memory.read(key);
        underWay = underWay.filter((each) => each !== key);
        return found;
      },
    };
    expect((await cacheOf(watched).fetch(await memory.list("raw-data/"))).size).toBe(sizes.length);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(64 * 1024 * 1024);
  });

  it("ends with the store's error, begins no download after it, and keeps what has come", async () => {
    await putBatches(60);
    const listed = await store.list("raw-data/");
    let passed = 0;
    hinder = async (request) => {
      if (!request.startsWith("GET ")) return undefined;
      passed += 1;
      return passed > 20 ? 503 : undefined;
    };
    front.requests.length = 0;
    await expect(cacheOf().fetch(listed)).rejects.toThrow(StoreUnavailableError);
    expect(gets().length).toBeLessThanOrEqual(20 + 16);
    const kept = await cachedFiles();
    expect(kept).toHaveLength(20);
    expect(kept.filter((path) => path.endsWith(".tmp"))).toEqual([]);
    hinder = async () => undefined;
    front.requests.length = 0;
    expect((await cacheOf().fetch(listed)).size).toBe(60);
    expect(gets()).toHaveLength(40);
  });

  it("refuses bytes that are not as many as were listed under the same mark", async () => {
    const memory = createMemoryStore();
    await putBatches(1, memory);
    const listed = (await memory.list("")).map((object) => ({ ...object, bytes: object.bytes + 1 }));
    await expect(cacheOf(memory).fetch(listed)).rejects.toThrow(/came with 1000 bytes where 1001 are listed/);
    expect(await cachedFiles()).toEqual([]);
  });

  it("of a store in a folder gives the files where they are, and copies nothing", async () => {
    const data = join(folder, "data");
    const local = createLocalStore(data);
    const objects = await putBatches(3, local);
    const results = await cacheOf(local).fetch(await local.list("raw-data/"));
    await expectHere(results, objects);
    for (const [key, result] of results) expect(result).toEqual({ state: "here", path: join(data, key), isNew: false });
    expect(await readdir(folder)).toEqual(["data"]);
    const again = await cacheOf(local).fetchAgain(await local.list("raw-data/"));
    for (const [key, result] of again) expect(result).toEqual({ state: "here", path: join(data, key), isNew: false });
    expect(await local.list("raw-data/")).toHaveLength(3);
  });

  it("of nothing asks nothing", async () => {
    front.requests.length = 0;
    expect(await cacheOf().fetch([])).toEqual(new Map());
    expect(front.requests).toEqual([]);
  });
});
