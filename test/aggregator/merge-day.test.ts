import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Aggregator } from "../../aggregator/index.ts";
import { DateNotStoredError, InvalidInputError, StoredFileError } from "../../domain/errors.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { sha256 } from "../../stores/sha256.ts";
import { anyBar, putBatch, putDay, putSummary } from "../support/stored-bars.ts";

const DAY = "2024-05-31";

let folder: string;
let store: ObjectStore;
let aggregator: Aggregator;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-merge-"));
  store = createLocalStore(join(folder, "store"));
  await mkdir(join(folder, "store"));
  aggregator = await Aggregator.open(`file:${join(folder, "store")}`, { cacheDir: join(folder, "cache") });
});
afterEach(async () => {
  await aggregator.close();
  await rm(folder, { recursive: true, force: true });
});

function batches(date: string, version = 0) {
  return [[anyBar("BHP", date, version)], [anyBar("360", date, version, 1), anyBar("WOW", date, version, 1)], []];
}

async function removeRaw(): Promise<void> {
  for (const { key } of await store.list("raw-data/")) await store.remove(key);
}

describe("merging the batches of a date", () => {
  it("stores one file, and says where it is and what it holds", async () => {
    await putDay(store, DAY, batches(DAY));
    await putDay(store, "2024-05-30", batches("2024-05-30"));
    const merged = await aggregator.mergeDailyBatches(DAY);
    const bytes = (await store.get(merged.key)) ?? new Uint8Array();
    expect(merged).toEqual({
      key: `curated/bars-${DAY}-${sha256(bytes).slice(0, 16)}.parquet`,
      url: store.locate(merged.key),
      date: DAY,
      rows: 3,
      batches: 3,
      backfills: 0,
      bytes: bytes.length,
      sha256: sha256(bytes),
    });
    const before = (await aggregator.loadDate(DAY)).toRows();
    expect(before.map(({ symbol }) => symbol)).toEqual(["360", "BHP", "WOW"]);
    await removeRaw();
    expect((await aggregator.loadDate(DAY)).toRows()).toEqual(before);
  });

  it("gives the same file again and writes nothing", async () => {
    await putDay(store, DAY, batches(DAY));
    const merged = await aggregator.mergeDailyBatches(DAY);
    const stored = await store.list("curated/");
    expect(await aggregator.mergeDailyBatches(DAY)).toEqual(merged);
    expect(await store.list("curated/")).toEqual(stored);
  });

  it("replaces the file when the date was run again", async () => {
    await putDay(store, DAY, batches(DAY));
    const { key } = await aggregator.mergeDailyBatches(DAY);
    await putDay(store, DAY, batches(DAY, 2));
    const second = await aggregator.mergeDailyBatches(DAY);
    expect(second.key).not.toBe(key);
    await removeRaw();
    expect((await aggregator.loadDate(DAY)).toRows().map(({ close }) => close)).toEqual([12, 12, 12]);
  });

  it("stands beside compaction, which leaves the file as long as it holds", async () => {
    await putDay(store, DAY, batches(DAY));
    await putDay(store, "2024-05-30", batches("2024-05-30"));
    const { key } = await aggregator.mergeDailyBatches(DAY);
    const compacted = await aggregator.compact();
    expect(compacted).toMatchObject({ unchanged: [key], rows: 6 });
    expect((await aggregator.loadAll()).length).toBe(6);
    expect((await aggregator.mergeDailyBatches(DAY)).key).toBe(key);
    await putDay(store, DAY, batches(DAY, 2));
    expect((await aggregator.compact()).files).toHaveLength(1);
    expect((await aggregator.loadAll()).length).toBe(6);
  });

  it("is what holds the date where it was merged after the year, and nothing else is left", async () => {
    await putDay(store, DAY, batches(DAY));
    await putDay(store, "2024-05-30", batches("2024-05-30"));
    await aggregator.compact();
    await putDay(store, DAY, batches(DAY, 2));
    await aggregator.mergeDailyBatches(DAY);
    await removeRaw();
    for (const date of [DAY, "2024-05-30"]) await store.remove(`runs/${date}.json`);
    const closes = async () => (await aggregator.loadAll()).toRows().map(({ close }) => close);
    expect(await closes()).toEqual([10, 12, 10, 12, 10, 12]);
    await aggregator.compact();
    expect(await closes()).toEqual([10, 12, 10, 12, 10, 12]);
  });

  it("names a batch that cannot be read", async () => {
    await putDay(store, DAY, batches(DAY));
    await store.remove(`raw-data/${DAY}-batch-1.parquet`);
    await expect(aggregator.mergeDailyBatches(DAY)).rejects.toThrow(StoredFileError);
    await expect(aggregator.mergeDailyBatches(DAY)).rejects.toThrow("batch-1.parquet is missing");
  });

  it("of a date without bars is an error that says which kind", async () => {
    await expect(aggregator.mergeDailyBatches("2024-02-30")).rejects.toThrow(InvalidInputError);
    await expect(aggregator.mergeDailyBatches(DAY)).rejects.toThrow(DateNotStoredError);
    await expect(aggregator.mergeDailyBatches(DAY)).rejects.toThrow(`holds no bars of ${DAY}`);
    await putSummary(store, DAY, []);
    await expect(aggregator.mergeDailyBatches(DAY)).rejects.toThrow(`the market was closed on ${DAY}`);
    await putSummary(store, DAY, [], "failed");
    await expect(aggregator.mergeDailyBatches(DAY)).rejects.toThrow(`the run of ${DAY} stored no bar`);
  });

  it("takes the older form and batches without a run summary", async () => {
    await putBatch(store, DAY, null, [anyBar("BHP", DAY, 1, null), anyBar("CBA", DAY, 1, null)]);
    await putBatch(store, DAY, 0, [anyBar("BHP", DAY, 2)]);
    expect(await aggregator.mergeDailyBatches(DAY)).toMatchObject({ rows: 2, batches: 2 });
  });
});
