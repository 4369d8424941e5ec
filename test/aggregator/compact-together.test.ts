import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StoreConflictError, StoreUnavailableError } from "../../domain/errors.ts";
import { curatedManifestKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { type OpenedLibrary, openLibrary } from "../support/opened-library.ts";
import { anyBar, putDay } from "../support/stored-bars.ts";

const HOUR = 3_600_000;
const DAYS = ["2023-12-29", "2024-01-02", "2024-01-03", "2024-01-04"];

let folder: string;
let now: number;
const opened: OpenedLibrary[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-together-"));
  now = Date.parse("2024-02-01T00:00:00Z");
});
afterEach(async () => {
  for (const library of opened.splice(0)) library.close();
  await rm(folder, { recursive: true, force: true });
});

async function open(store: ObjectStore): Promise<OpenedLibrary> {
  const library = await openLibrary(store, join(folder, `cache-${opened.length}`), () => now);
  opened.push(library);
  return library;
}

async function putDays(store: ObjectStore, dates: readonly string[] = DAYS, version = 0): Promise<void> {
  for (const date of dates)
    await putDay(store, date, [[anyBar("BHP", date, version)], [anyBar("CBA", date, version, 1)]]);
}

async function closes(library: OpenedLibrary): Promise<unknown[]> {
  return (await library.load()).toRows().map(({ symbol, date, close }) => `${symbol} ${date} ${close}`);
}

function expected(dates: readonly string[], version: (date: string) => number = () => 0): string[] {
  return ["BHP", "CBA"].flatMap((symbol) => dates.map((date) => `${symbol} ${date} ${10 + version(date)}`));
}

const kinds: readonly [string, () => ObjectStore][] = [
  ["of files", () => createLocalStore(join(folder, "store"))],
  ["of objects", () => createMemoryStore()],
];

describe.each(kinds)("in a store %s", (_, create) => {
  let store: ObjectStore;
  beforeEach(() => {
    store = create();
  });

  it("several compactions at once leave each bar once, and what every one of them saw", async () => {
    await putDays(store, DAYS.slice(0, 3));
    const libraries = await Promise.all([open(store), open(store), open(store)]);
    await Promise.all([...libraries.map((library) => library.compact()), putDays(store, DAYS.slice(3))]);
    for (const library of libraries) expect(await closes(library)).toEqual(expected(DAYS));
    const last = await (await open(store)).compact();
    expect([last.files.length, last.rows]).toEqual([2, 8]);
  });

  it("a compaction that comes second keeps what the first published", async () => {
    await putDays(store, DAYS.slice(0, 3));
    const other = await open(store);
    let isFirst = true;
    const library = await open({
      ...store,
      replace: async (key, bytes, version) => {
        if (isFirst) {
          isFirst = false;
          await putDays(store, DAYS.slice(3));
          await other.mergeDay("2024-01-02");
          await other.compact();
        }
        return store.replace(key, bytes, version);
      },
    });
    const { files, rows } = await library.compact();
    expect(files.map(({ key }) => key.slice(0, -25))).toEqual([
      "curated/bars-2023",
      "curated/bars-2024",
      "curated/bars-2024-01-02",
    ]);
    expect(rows).toBe(8);
    expect(await closes(library)).toEqual(expected(DAYS));
  });

  it.each([
    ["the connection broke", new StoreUnavailableError("the connection broke")],
    ["a repeated request met itself", new StoreConflictError("it was changed by another writer")],
  ])("a publication whose answer was lost counts, where %s", async (_name, error) => {
    await putDays(store);
    let lost = 0;
    const library = await open({
      ...store,
      replace: async (key, bytes, version) => {
        await store.replace(key, bytes, version);
        lost += 1;
        if (lost === 1) throw error;
      },
    });
    expect((await library.compact()).written).toHaveLength(2);
    expect(lost).toBe(1);
    expect((await library.compact()).written).toEqual([]);
    expect(await closes(library)).toEqual(expected(DAYS));
  });

  it("a publication that failed is an error, and the store stays as it was", async () => {
    await putDays(store);
    const broken = await open({
      ...store,
      replace: async () => {
        throw new StoreUnavailableError("503 Slow Down");
      },
    });
    await expect(broken.compact()).rejects.toThrow("503 Slow Down");
    expect(await store.head(curatedManifestKey)).toBeUndefined();
    expect((await (await open(store)).compact()).rows).toBe(8);
  });

  it("gives up where others publish all the time", async () => {
    await putDays(store);
    let tries = 0;
    const library = await open({
      ...store,
      replace: async (key) => {
        tries += 1;
        throw new StoreConflictError(`${key} was changed by another writer`);
      },
    });
    await expect(library.compact()).rejects.toThrow(/changed while it was compacted, 10 times/);
    expect(tries).toBe(10);
  });

  it("a file cut short on its way is not published", async () => {
    await putDays(store);
    const library = await open({
      ...store,
      put: (key, bytes) => store.put(key, key.startsWith("curated/") ? bytes.subarray(1) : bytes),
    });
    await expect(library.compact()).rejects.toThrow(StoreUnavailableError);
    expect(await store.head(curatedManifestKey)).toBeUndefined();
  });

  it("keeps what another published while it was storing its files", async () => {
    await putDays(store);
    const other = await open(store);
    let merged = "";
    const library = await open({
      ...store,
      put: async (key, bytes) => {
        if (merged === "") merged = (await other.mergeDay("2024-01-02")).key;
        return store.put(key, bytes);
      },
    });
    expect((await library.compact()).unchanged).toEqual([merged]);
  });

  it("does not take the bars of a run for those of the run before it, which it looked at", async () => {
    await putDays(store, DAYS.slice(0, 3));
    const library = await open({
      ...store,
      stat: async (keys) => {
        if (isReady && keys.every((key) => key.startsWith("curated/bars-"))) {
          isReady = false; // the new day's batches were found right, and are not yet read
          await putDays(store, DAYS.slice(3), 5);
        }
        return store.stat(keys);
      },
    });
    let isReady = false;
    await library.compact();
    await putDays(store, DAYS.slice(3));
    isReady = true;
    await library.compact();
    expect(isReady).toBe(false);
    expect(await closes(library)).toEqual(expected(DAYS, (date) => (date === DAYS[3] ? 5 : 0)));
    await putDays(store, DAYS.slice(3));
    await library.compact();
    for (const { key } of await store.list("raw-data/")) await store.remove(key); // what was compacted is what is read
    expect(await closes(library)).toEqual(expected(DAYS));
  });

  it("files that are gone before they are published are stored again", async () => {
    await putDays(store);
    let removed = 0;
    const library = await open({
      ...store,
      stat: async (keys) => {
        if (removed === 0 && keys.every((key) => key.startsWith("curated/bars-"))) {
          for (const key of keys) await store.remove(key);
          removed = keys.length;
        }
        return store.stat(keys);
      },
    });
    await library.compact();
    expect(removed).toBe(2);
    expect(await closes(library)).toEqual(expected(DAYS));
  });

  it("a compaction that rests for hours, while others clear its files away, publishes none that is not there", async () => {
    await putDays(store);
    const other = await open(store);
    let isFirst = true;
    const library = await open({
      ...store,
      stat: async (keys) => {
        if (isFirst && keys.every((key) => key.startsWith("curated/bars-"))) {
          isFirst = false; // all is stored and not yet published: here this process rests for an hour
          await putDays(store, DAYS.slice(-1), 1);
          await other.mergeDay(DAYS.at(-1) ?? "");
          await putDays(store, DAYS.slice(-1));
          now += HOUR + 1;
          expect((await other.mergeDay(DAYS[0] ?? "")).rows).toBe(2);
        }
        return store.stat(keys);
      },
    });
    await library.compact();
    expect(isFirst).toBe(false);
    now += 3 * HOUR;
    await (await open(store)).compact();
    expect(await closes(library)).toEqual(expected(DAYS));
    const stored = new Set((await store.list("curated/")).map(({ key }) => key));
    const { files } = await (await open(store)).compact();
    expect(files.every(({ key }) => stored.has(key))).toBe(true);
  });

  it("a reader whose compacted file is removed between two of its steps looks again", async () => {
    await putDays(store);
    const other = await open(store);
    await other.compact();
    const steps = { left: Number.POSITIVE_INFINITY };
    const step = async (): Promise<void> => {
      steps.left -= 1;
      if (steps.left !== 0) return;
      await putDays(store, DAYS.slice(1, 2), 3);
      await other.compact();
      now += HOUR + 1;
      expect((await other.compact()).removed).not.toEqual([]);
    };
    const stepping: ObjectStore = {
      ...store,
      get: async (key) => {
        await step();
        return store.get(key);
      },
      read: async (key) => {
        await step();
        return store.read(key);
      },
      stat: async (keys) => {
        await step();
        return store.stat(keys);
      },
      list: async (prefix) => {
        await step();
        return store.list(prefix);
      },
    };
    let at = 1;
    for (; at <= 30; at += 1) {
      await putDays(store, DAYS.slice(1, 2), 0);
      now += 10 * HOUR;
      await other.compact();
      const reader = await open(stepping); // with a cache that holds nothing
      steps.left = at;
      const isDone = (): boolean => steps.left <= 0;
      const seen = await closes(reader);
      const [before, after] = [expected(DAYS), expected(DAYS, (date) => (date === DAYS[1] ? 3 : 0))];
      expect([before, after]).toContainEqual(seen);
      if (!isDone()) break;
      expect(await closes(reader)).toEqual(after);
    }
    expect(at).toBeGreaterThan(5); // there were steps to go between
  });

  it("a reader that keeps an old state sees the new one after its files were removed", async () => {
    await putDays(store);
    const [reader, other] = [await open(store), await open(store)];
    await other.compact();
    expect(await closes(reader)).toEqual(expected(DAYS));
    await putDays(store, DAYS.slice(1, 2), 3);
    await other.compact();
    now += HOUR + 1;
    expect((await other.compact()).removed).toHaveLength(1);
    expect(await closes(reader)).toEqual(expected(DAYS, (date) => (date === DAYS[1] ? 3 : 0)));
  });
});
