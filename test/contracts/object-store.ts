import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InvalidInputError, StoreConflictError } from "../../domain/errors.ts";
import type { ObjectStore } from "../../domain/object-store.ts";

/** An empty store, and how to put it away. */
export interface OpenedStore {
  readonly store: ObjectStore;
  close(): Promise<void>;
}

const UNSAFE_KEYS = ["../x", "/x", "a//b", "a/../b", ".hidden", "a\\b", ""];

/** More than two of the pages of 1,000 that S3 lists at a time. */
const MANY = 1_234;

/** Requests under way at a time: below the sockets of an S3 client, so that none waits for its turn until it times out. */
const PARALLEL = 40;

/**
 * The promises of the ObjectStore port, for every kind of store.
 * @param open gives an empty store of its own to every test.
 */
export function describeObjectStore(name: string, open: () => Promise<OpenedStore>): void {
  describe(`${name} keeps the promises of an object store:`, () => {
    let opened: OpenedStore;
    let store: ObjectStore;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });

    afterEach(() => opened.close());

    async function keysOf(prefix: string): Promise<string[]> {
      return (await store.list(prefix)).map(({ key }) => key);
    }

    it.each([
      ["no bytes", new Uint8Array()],
      ["one byte", Uint8Array.of(0)],
      [
        "every byte there is, line ends and broken UTF-8 among them",
        Uint8Array.from({ length: 256 }, (_, byte) => byte),
      ],
      ["1 MiB of random bytes", randomBytes(1024 * 1024, 20_240_531)],
    ])("it gives %s back as they were, and their size", async (_, bytes) => {
      await store.put("raw-data/object.parquet", bytes);
      expectBytes(await store.get("raw-data/object.parquet"), bytes);
      const stored = { key: "raw-data/object.parquet", bytes: bytes.length, mark: expect.any(String) };
      expect(await store.head("raw-data/object.parquet")).toEqual(stored);
      expect(await store.list("")).toEqual([stored]);
    });

    it("it gives bytes with a version that changes when they do, and none where there is no object", async () => {
      expect(await store.read("runs/a.json")).toBeUndefined();
      await store.put("runs/a.json", Uint8Array.of(1));
      const first = await store.read("runs/a.json");
      expectBytes(first?.bytes, Uint8Array.of(1));
      await store.put("runs/a.json", Uint8Array.of(2));
      const second = await store.read("runs/a.json");
      expectBytes(second?.bytes, Uint8Array.of(2));
      expect(second?.version).not.toBe(first?.version);
    });

    it("it replaces an object of the version that was read, and makes one where there was none", async () => {
      await store.replace("runs/a.json", Uint8Array.of(1), undefined);
      const { version } = (await store.read("runs/a.json")) ?? { version: undefined };
      await store.replace("runs/a.json", Uint8Array.of(2), version);
      expectBytes(await store.get("runs/a.json"), Uint8Array.of(2));
    });

    it("it refuses a replacement of a version that is gone, and leaves what another writer stored", async () => {
      await store.put("runs/a.json", Uint8Array.of(1));
      const { version } = (await store.read("runs/a.json")) ?? { version: undefined };
      await store.put("runs/a.json", Uint8Array.of(2));
      for (const stale of [version, undefined]) {
        await expect(store.replace("runs/a.json", Uint8Array.of(3), stale)).rejects.toThrow(StoreConflictError);
      }
      await expect(store.replace("runs/b.json", Uint8Array.of(3), version)).rejects.toThrow(StoreConflictError);
      expectBytes(await store.get("runs/a.json"), Uint8Array.of(2));
      expect(await keysOf("runs/")).toEqual(["runs/a.json"]);
    });

    it("it lets one of many writers through that replace the same version at once", async () => {
      await store.put("runs/a.json", Uint8Array.of(0));
      const { version } = (await store.read("runs/a.json")) ?? { version: undefined };
      const writers = Array.from({ length: 12 }, (_, index) => index + 1);
      const ends = await Promise.allSettled(
        writers.map((writer) => store.replace("runs/a.json", Uint8Array.of(writer), version)),
      );
      const [winner, ...more] = writers.filter((_, index) => ends[index]?.status === "fulfilled");
      expect([typeof winner, more]).toEqual(["number", []]);
      expectBytes(await store.get("runs/a.json"), Uint8Array.of(winner ?? 0));
      for (const end of ends) if (end.status === "rejected") expect(end.reason).toBeInstanceOf(StoreConflictError);
    });

    it("it stores the part of a buffer that it is given, not the buffer behind it", async () => {
      await store.put("part", Uint8Array.of(1, 2, 3, 4, 5).subarray(1, 4));
      expectBytes(await store.get("part"), Uint8Array.of(2, 3, 4));
    });

    it("it is not changed by what a caller does to the bytes afterwards", async () => {
      const given = Uint8Array.of(1, 2, 3);
      await store.put("mine", given);
      given.fill(9);
      (await store.get("mine"))?.fill(8);
      expectBytes(await store.get("mine"), Uint8Array.of(1, 2, 3));
    });

    it.each([
      ["longer", 10, 5_000],
      ["shorter", 5_000, 10],
      ["empty", 10, 0],
    ])("it replaces an object by one that is %s", async (_, before, after) => {
      await store.put("runs/2024-05-31.json", new Uint8Array(before).fill(1));
      await store.put("runs/2024-05-31.json", new Uint8Array(after).fill(2));
      expectBytes(await store.get("runs/2024-05-31.json"), new Uint8Array(after).fill(2));
      expect(await store.list("")).toMatchObject([{ key: "runs/2024-05-31.json", bytes: after }]);
    });

    it("it marks an object anew with every change of its bytes, the same in every look at it", async () => {
      const marks = new Set<string | undefined>();
      for (const bytes of [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3, 4), new Uint8Array()]) {
        await store.put("raw-data/2024-05-31.parquet", bytes);
        const head = await store.head("raw-data/2024-05-31.parquet");
        expect(await store.list("raw-data/")).toEqual([head]);
        expect(await store.stat(["raw-data/2024-05-31.parquet"])).toEqual([head]);
        expect(await store.head("raw-data/2024-05-31.parquet")).toEqual(head);
        marks.add(head?.mark);
      }
      expect(marks.size).toBe(4);
      expect([...marks].every((mark) => mark !== undefined && mark !== "")).toBe(true);
    });

    it("it looks at many objects in the order asked, absent ones and one asked twice among them", async () => {
      const keys = ["2024-05-30", "2024-05-31", "2024-06-03"].flatMap((date) => [
        `raw-data/${date}.parquet`,
        ...Array.from({ length: 12 }, (_, batch) => `raw-data/${date}-batch-${batch}.parquet`),
        `runs/${date}.json`,
      ]);
      await Promise.all(keys.map((key, index) => store.put(key, new Uint8Array(index))));
      const asked = [
        ...keys.toReversed(),
        "raw-data/2024-05-31-batch-12.parquet",
        "none/at/all",
        "runs/2024-05-31.json",
      ];
      const objects = new Map((await store.list("")).map((object) => [object.key, object]));
      expect(await store.stat(asked)).toEqual(asked.map((key) => objects.get(key)));
      expect(await store.stat([])).toEqual([]);
    });

    it("it looks at objects of which one's key is the beginning of the others", async () => {
      const keys = ["a", "a1", "a2", "a3", "a4"];
      for (const key of keys) await store.put(key, Uint8Array.of(1));
      expect((await store.stat(keys)).map((object) => object?.key)).toEqual(keys);
    });

    it("it has nothing where nothing was put", async () => {
      expect(await store.list("")).toEqual([]);
      expect(await store.list("raw-data/")).toEqual([]);
      expect(await store.get("absent")).toBeUndefined();
      expect(await store.head("absent")).toBeUndefined();
      expect(await store.get("no/such/folder")).toBeUndefined();
      expect(await store.head("no/such/folder")).toBeUndefined();
    });

    it("it has nothing beside what was put", async () => {
      await store.put("raw-data/2024-05-31.parquet", Uint8Array.of(1));
      for (const key of ["raw-data/2024-05-30.parquet", "raw-data/2024-05-31", "2024-05-31.parquet"]) {
        expect(await store.get(key)).toBeUndefined();
        expect(await store.head(key)).toBeUndefined();
      }
    });

    it("it removes an object, that one alone, and finds nothing wrong where there is none", async () => {
      for (const key of ["curated/a", "curated/a1", "curated/b"]) await store.put(key, Uint8Array.of(1));
      await store.remove("curated/a");
      expect(await keysOf("curated/")).toEqual(["curated/a1", "curated/b"]);
      expect(await store.get("curated/a")).toBeUndefined();
      expect(await store.stat(["curated/a"])).toEqual([undefined]);
      await store.remove("curated/a");
      await store.remove("no/such/folder");
      await store.replace("curated/a", Uint8Array.of(2), undefined);
      expectBytes(await store.get("curated/a"), Uint8Array.of(2));
    });

    it("it does not take an object for another whose key goes on", async () => {
      await store.put("raw-data/batch-10", Uint8Array.of(1, 2));
      expect(await store.head("raw-data/batch-1")).toBeUndefined();
      expect(await store.get("raw-data/batch-1")).toBeUndefined();
      await store.put("raw-data/batch-1", Uint8Array.of(1));
      expect(await store.head("raw-data/batch-1")).toMatchObject({ key: "raw-data/batch-1", bytes: 1 });
    });

    it("it has no object where only a folder is", async () => {
      await store.put("raw-data/2024-05-31.parquet", Uint8Array.of(1));
      expect(await store.head("raw-data")).toBeUndefined();
      expect(await store.get("raw-data")).toBeUndefined();
      expect(await store.stat(["raw-data"])).toEqual([undefined]);
    });

    it("it gives what lies below a prefix in short, a line for all keys that share their beginning", async () => {
      const keys = ["raw-data/2024-05-30-batch-0.parquet", "raw-data/2024-05-31-batch-0.parquet"];
      const more = ["raw-data/2024-05-30-batch-1.parquet", "raw-data/2024-06-03.parquet", "runs/2024-05-30.json"];
      for (const key of [...keys, ...more]) await store.put(key, new TextEncoder().encode(key));
      expect(await store.groups("raw-data/", "b")).toEqual([
        "raw-data/2024-05-30-",
        "raw-data/2024-05-31-",
        "raw-data/2024-06-03.parquet",
      ]);
      expect(await store.groups("raw-data/2024-05", "b")).toEqual(["raw-data/2024-05-30-", "raw-data/2024-05-31-"]);
      expect(await store.groups("curated/", "b")).toEqual([]);
      await store.put("raw-data/2024-06-04-batch-0.parquet", new Uint8Array(3));
      expect(await store.groups("raw-data/2024-06", "b")).toEqual([
        "raw-data/2024-06-03.parquet",
        "raw-data/2024-06-04-",
      ]);
    });

    it("it lists in order of key, whatever the order of the puts", async () => {
      const keys = ["runs/b", "raw-data/batch-10", "raw-data/batch-2", "Z", "a", "raw-data/batch-0", "runs/A"];
      for (const key of keys) await store.put(key, Uint8Array.of(1));
      expect(await keysOf("")).toEqual([
        "Z",
        "a",
        "raw-data/batch-0",
        "raw-data/batch-10",
        "raw-data/batch-2",
        "runs/A",
        "runs/b",
      ]);
    });

    it("it lists by any beginning of a key, not by whole folders only", async () => {
      const keys = [
        "raw-data/2024-05-30.parquet",
        "raw-data/2024-05-31-batch-0.parquet",
        "raw-data/2024-05-31-batch-1.parquet",
        "raw-data/2024-05-31.parquet",
        "raw-data/2024-06-03.parquet",
        "raw-data2/2024-05-31.parquet",
        "runs/2024-05-31.json",
      ];
      await Promise.all(keys.map((key) => store.put(key, Uint8Array.of(1))));
      expect(await keysOf("raw-data/2024-05-31")).toEqual(keys.slice(1, 4));
      expect(await keysOf("raw-data/")).toEqual(keys.slice(0, 5));
      expect(await keysOf("raw-data")).toEqual(keys.slice(0, 6));
      expect(await keysOf("r")).toEqual(keys);
      expect(await keysOf("runs/2024-05-31.json")).toEqual(["runs/2024-05-31.json"]);
      expect(await keysOf("2024-05-31")).toEqual([]);
      expect(await keysOf("raw-data/2024-05-31/")).toEqual([]);
    });

    it("it lists what lies in folders of folders", async () => {
      await store.put("curated/year=2024/month=05/part-0.parquet", Uint8Array.of(1, 2));
      const stored = { key: "curated/year=2024/month=05/part-0.parquet", bytes: 2, mark: expect.any(String) };
      expect(await store.list("curated/")).toEqual([stored]);
      expect(await store.list("curated/year=2024/mon")).toEqual([stored]);
      expect(await store.list("curated/year=2023")).toEqual([]);
    });

    it(`it lists all of ${MANY} objects`, { timeout: 30_000 }, async () => {
      const keys = Array.from({ length: MANY }, (_, index) => `many/${String(index).padStart(5, "0")}`);
      for (let start = 0; start < MANY; start += PARALLEL) {
        const some = keys.slice(start, start + PARALLEL);
        await Promise.all(some.map((key) => store.put(key, Uint8Array.of(1))));
      }
      expect(await keysOf("many/")).toEqual(keys);
      expect(await keysOf("many/001")).toEqual(keys.slice(100, 200));
    });

    it.each(UNSAFE_KEYS)("it refuses the key %j and writes nothing", async (key) => {
      await expect(store.put(key, Uint8Array.of(1))).rejects.toThrow(InvalidInputError);
      await expect(store.get(key)).rejects.toThrow(InvalidInputError);
      await expect(store.head(key)).rejects.toThrow(InvalidInputError);
      await expect(store.remove(key)).rejects.toThrow(InvalidInputError);
      await expect(store.stat(["a", key])).rejects.toThrow(InvalidInputError);
      expect(await store.list("")).toEqual([]);
    });

    it("it gives no address for an unsafe key", () => {
      for (const key of UNSAFE_KEYS) {
        expect(() => store.locate(key), key).toThrow(InvalidInputError);
        expect(() => store.localPath(key), key).toThrow(InvalidInputError);
      }
    });

    it("it keeps one of the values whole where 20 are put under one key at the same time", async () => {
      const size = 4_096;
      const values = Array.from({ length: 20 }, (_, index) => new Uint8Array(size).fill(index + 1));
      await Promise.all(values.map((value) => store.put("contested", value)));
      const kept = await store.get("contested");
      expectBytes(kept, new Uint8Array(size).fill(kept?.[0] ?? 0));
      expect(values.map(([first]) => first)).toContain(kept?.[0]);
      expect(await store.list("")).toMatchObject([{ key: "contested", bytes: size }]);
    });

    it("it gives every object an address of its own, which ends in the key", () => {
      expect(store.locate("runs/2024-05-31.json")).toMatch(/[/:]runs\/2024-05-31\.json$/);
      expect(store.locate("runs/2024-05-30.json")).not.toBe(store.locate("runs/2024-05-31.json"));
    });
  });
}

/** Compares bytes at once: a difference in a megabyte is not worth printing. */
function expectBytes(found: Uint8Array | undefined, expected: Uint8Array): void {
  expect(found?.length).toBe(expected.length);
  expect(found !== undefined && Buffer.compare(found, expected) === 0, "the bytes are those expected").toBe(true);
}

/** Bytes that do not compress and are the same in every run: Marsaglia's xorshift32. */
function randomBytes(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  });
}
