import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InvalidInputError, StoreConflictError, StoreRefusedError } from "../../domain/errors.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { describeObjectStore } from "../contracts/object-store.ts";

const BYTES = Uint8Array.of(1, 2, 3);

function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "asx-eod-store-"));
}

describeObjectStore("a store in a folder", async () => {
  const folder = await temporaryFolder();
  return {
    store: createLocalStore(folder),
    close: () => rm(folder, { recursive: true, force: true }),
  };
});

describe("a store in a folder", () => {
  let parent: string;
  let folder: string;
  let store: ObjectStore;

  beforeEach(async () => {
    parent = await temporaryFolder();
    folder = join(parent, "store");
    store = createLocalStore(folder);
  });

  afterEach(() => rm(parent, { recursive: true, force: true }));

  /** Every file and folder below the parent, hidden ones too. */
  async function everything(): Promise<string[]> {
    return (await readdir(parent, { recursive: true })).toSorted();
  }

  it("keeps an object as a plain file at the path of its key", async () => {
    await store.put("runs/2024-05-31.json", BYTES);
    expect(await readFile(join(folder, "runs", "2024-05-31.json"))).toEqual(Buffer.from(BYTES));
    expect(store.locate("runs/2024-05-31.json")).toBe(join(folder, "runs", "2024-05-31.json"));
  });

  it("gives the absolute path of an object, whether it is there or not", () => {
    expect(store.localPath("runs/2024-05-31.json")).toBe(join(folder, "runs", "2024-05-31.json"));
    expect(createLocalStore("some/folder").localPath("a")).toBe(join(process.cwd(), "some", "folder", "a"));
  });

  it("marks a file anew that is written in place with as many bytes and its time set back", async () => {
    await store.put("raw-data/a", BYTES);
    const path = join(folder, "raw-data", "a");
    const [before] = await store.list("raw-data/");
    const { atime, mtime } = await stat(path);
    await writeFile(path, Uint8Array.of(3, 2, 1));
    await utimes(path, atime, mtime);
    const [after] = await store.stat(["raw-data/a"]);
    expect(after?.bytes).toBe(before?.bytes);
    expect(after?.mark).not.toBe(before?.mark);
  });

  it("lets others have their turn while it looks at thousands of files", async () => {
    await mkdir(folder);
    const keys = Array.from({ length: 1_100 }, (_, index) => `k${index + 1_000}`);
    for (const key of keys) writeFileSync(join(folder, key), "x");
    let turns = 0;
    const counting = setInterval(() => undefined, 60_000); // keeps the loop alive
    const count = (): void => {
      turns += 1;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    expect((await store.stat(keys)).every((object) => object?.bytes === 1)).toBe(true);
    clearImmediate(next);
    clearInterval(counting);
    expect(turns).toBeGreaterThanOrEqual(2);
  });

  describe("that is written by several processes", () => {
    const LOCK = join("runs", ".a.json.lock");

    async function lockedBy(owner: string, now: number): Promise<ObjectStore> {
      await mkdir(join(folder, "runs"), { recursive: true });
      await writeFile(join(folder, LOCK), owner);
      await utimes(join(folder, LOCK), now / 1000, now / 1000);
      return createLocalStore(folder, () => now + 30_000);
    }

    it("refuses a replacement while another holds the lock", async () => {
      const lockedStore = await lockedBy("another", 1_700_000_000_000);
      await expect(lockedStore.replace("runs/a.json", BYTES, undefined)).rejects.toThrow(StoreConflictError);
      expect(await readFile(join(folder, LOCK), "utf8")).toBe("another");
      expect(await lockedStore.list("runs/")).toEqual([]);
    });

    it("takes over the lock of a writer that died more than half a minute ago", async () => {
      await lockedBy("the dead", 1_700_000_000_000);
      const later = createLocalStore(folder, () => 1_700_000_030_001);
      await later.replace("runs/a.json", BYTES, undefined);
      expect(await later.get("runs/a.json")).toEqual(Buffer.from(BYTES));
      expect(await readdir(join(folder, "runs"))).toEqual(["a.json"]);
    });

    it("takes over the lock of a process of this machine that is dead at once", async () => {
      const { pid = 0 } = spawnSync(process.execPath, ["--version"]); // it has ended
      const lockedStore = await lockedBy(`${hostname()} ${pid} x`, 1_700_000_000_000);
      await lockedStore.replace("runs/a.json", BYTES, undefined);
      expect(await readdir(join(folder, "runs"))).toEqual(["a.json"]);
      const alive = await lockedBy(`${hostname()} ${process.pid} x`, 1_700_000_000_000);
      await expect(alive.replace("runs/b.json", BYTES, undefined)).resolves.toBeUndefined();
      await expect(alive.replace("runs/a.json", BYTES, undefined)).rejects.toThrow(StoreConflictError);
    });

    it("leaves no lock behind, whether a replacement is made or refused", async () => {
      await store.replace("runs/a.json", BYTES, undefined);
      await expect(store.replace("runs/a.json", BYTES, "stale")).rejects.toThrow(StoreConflictError);
      await expect(store.replace("runs", BYTES, undefined)).rejects.toThrow(StoreRefusedError);
      expect((await everything()).filter((name) => name.includes("lock"))).toEqual([]);
    });
  });

  it("leaves no temporary file behind, however many puts there are", async () => {
    const keys = Array.from({ length: 30 }, (_, index) => `runs/${index % 10}`);
    await Promise.all(keys.map((key) => store.put(key, BYTES)));
    expect(await readdir(join(folder, "runs"))).toHaveLength(10);
    expect((await everything()).filter((name) => name.includes(".tmp"))).toEqual([]);
  });

  it("leaves no temporary file behind where a put fails", async () => {
    await store.put("runs/2024-05-31.json", BYTES);
    const before = await everything();
    await expect(store.put("runs", BYTES)).rejects.toThrow(StoreRefusedError);
    expect(await everything()).toEqual(before);
    expect(await store.get("runs/2024-05-31.json")).toEqual(Buffer.from(BYTES));
  });

  it("never shows a reader a part of an object or none while it is replaced many times", async () => {
    const sizes = [300_000, 10, 150_000];
    await store.put("busy", new Uint8Array(10).fill(1));
    let writing = true;
    let reads = 0;
    async function write(): Promise<void> {
      for (let put = 0; put < 60; put += 1) {
        await store.put("busy", new Uint8Array(sizes[put % sizes.length] ?? 0).fill((put % sizes.length) + 10));
      }
      writing = false;
    }
    async function read(): Promise<void> {
      while (writing) {
        const bytes = await store.get("busy");
        const listed = await store.list("");
        reads += 1;
        const first = bytes?.[0] ?? 0;
        const expected = first === 1 ? 10 : sizes[first - 10];
        expect(bytes?.length).toBe(expected);
        expect(bytes?.every((byte) => byte === first)).toBe(true);
        expect(listed.map(({ key }) => key)).toEqual(["busy"]);
        expect([10, ...sizes]).toContain(listed[0]?.bytes);
      }
    }
    await Promise.all([write(), read(), read(), read()]);
    expect(reads).toBeGreaterThan(3);
  });

  it("does not list a temporary file that a killed process left, nor a hidden folder", async () => {
    await store.put("raw-data/2024-05-31.parquet", BYTES);
    await writeFile(join(folder, "raw-data", ".4711-1.tmp"), BYTES);
    await writeFile(join(folder, ".DS_Store"), BYTES);
    await mkdir(join(folder, ".git"));
    await writeFile(join(folder, ".git", "config"), BYTES);
    for (const prefix of ["", "raw-data/"]) {
      expect((await store.list(prefix)).map(({ key }) => key)).toEqual(["raw-data/2024-05-31.parquet"]);
    }
    expect(await store.list("raw-data/.")).toEqual([]);
  });

  it("puts an object although a killed process of the same number left its temporary files", async () => {
    await mkdir(folder, { recursive: true });
    const leftovers = [1, 2, 3].map((count) => join(folder, `.${process.pid}-${count}.tmp`));
    for (const leftover of leftovers) await writeFile(leftover, "left over");
    await store.put("a", BYTES);
    expect(await store.get("a")).toEqual(Buffer.from(BYTES));
    for (const leftover of leftovers) expect(await readFile(leftover, "utf8")).toBe("left over");
  });

  it("keeps both objects where two stores on one folder write at the same time", async () => {
    const other = createLocalStore(folder);
    const keys = Array.from({ length: 20 }, (_, index) => `k${index + 10}`);
    await Promise.all(keys.map((key, index) => (index % 2 === 0 ? store : other).put(key, BYTES)));
    expect((await store.list("")).map(({ key }) => key)).toEqual(keys);
  });

  it("lists in order of the whole key, as S3 does, not folder by folder", async () => {
    for (const key of ["a/x", "a.x", "a-b/x", "a0", "a/B"]) await store.put(key, BYTES);
    expect((await store.list("a")).map(({ key }) => key)).toEqual(["a-b/x", "a.x", "a/B", "a/x", "a0"]);
  });

  it("lists nothing and has no object where its folder does not exist, and does not make it", async () => {
    expect(await store.list("")).toEqual([]);
    expect(await store.list("raw-data/2024")).toEqual([]);
    expect(await store.get("a")).toBeUndefined();
    expect(await store.head("a")).toBeUndefined();
    expect(existsSync(folder)).toBe(false);
  });

  it("makes its folder with the first put, with all folders above it", async () => {
    const deep = createLocalStore(join(folder, "some", "where"));
    await deep.put("raw-data/a", BYTES);
    expect(await deep.get("raw-data/a")).toEqual(Buffer.from(BYTES));
  });

  it.each(["../x", "/x", "a/../../x", "..\\x"])("writes nothing beside its folder for the key %j", async (key) => {
    await store.put("a", BYTES);
    const before = await everything();
    await expect(store.put(key, BYTES)).rejects.toThrow(InvalidInputError);
    expect(await everything()).toEqual(before);
  });

  it.each(["../", "../secret", "a/../../", "/"])(
    "does not list beyond its folder for the prefix %j",
    async (prefix) => {
      await store.put("a/b", BYTES);
      await writeFile(join(parent, "secret.txt"), "secret");
      await expect(store.list(prefix)).rejects.toThrow(InvalidInputError);
    },
  );

  describe("that cannot be used", () => {
    it("because a file stands in its place is an error and not an empty store", async () => {
      await writeFile(folder, "a file");
      await expect(store.get("a")).rejects.toThrow(StoreRefusedError);
      await expect(store.head("a")).rejects.toThrow(StoreRefusedError);
      await expect(store.list("")).rejects.toThrow(StoreRefusedError);
      await expect(store.put("a", BYTES)).rejects.toThrow(StoreRefusedError);
      expect(await readFile(folder, "utf8")).toBe("a file");
    });

    it("because a file stands where a folder of a key should be is an error and not an absent key", async () => {
      await store.put("raw-data", BYTES);
      await expect(store.get("raw-data/a")).rejects.toThrow(StoreRefusedError);
      await expect(store.head("raw-data/a")).rejects.toThrow(StoreRefusedError);
      await expect(store.stat(["raw-data/a"])).rejects.toThrow(StoreRefusedError);
      await expect(store.list("raw-data/")).rejects.toThrow(StoreRefusedError);
      await expect(store.put("raw-data/a", BYTES)).rejects.toThrow(StoreRefusedError);
      expect(await store.get("raw-data")).toEqual(Buffer.from(BYTES));
    });

    it("names the path and the fault, and keeps its cause", async () => {
      await writeFile(folder, "a file");
      const error: unknown = await store.get("a").catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ message: expect.stringContaining(`${join(folder, "a")}: ENOTDIR`) });
      expect(error).toMatchObject({ cause: { code: "ENOTDIR" } });
    });
  });
});
