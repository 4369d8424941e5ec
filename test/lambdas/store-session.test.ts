/** What becomes of a session's files when bars are stored, changed and recorded in spite of other writers and of ends in between. */
import { describe, expect, it } from "vitest";
import { StoredFileError, StoreUnavailableError } from "../../domain/errors.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { revisionsFile } from "../../domain/revision.ts";
import { createTestFetcher, plainBar, storeFile, type TestFetcher } from "../support/test-fetcher.ts";

const DAY = "2024-05-31";
const FILE = `raw-data/${DAY}-batch-0.parquet`;
const RECORD = `revisions/${DAY}-batch-0.json`;
const EVENT = { symbols: ["BHP"], batchNumber: 0, date: DAY, sessions: [DAY], catchUp: true };

/** A provider that has changed the stored bar of BHP. */
async function setUp(): Promise<TestFetcher> {
  const fetcher = createTestFetcher({ bars: { BHP: { [DAY]: { close: 10.75 } }, CBA: { [DAY]: {} } } });
  await storeFile(fetcher.runtime, { date: DAY }, [plainBar("BHP", DAY)]);
  return fetcher;
}

function recorded({ runtime }: TestFetcher) {
  const bytes = runtime.store.objects.get(RECORD);
  return bytes === undefined ? [] : revisionsFile.parse(JSON.parse(new TextDecoder().decode(bytes))).revisions;
}

/** Calls `before` ahead of every replacement of a key. */
function onReplace(store: ObjectStore, of: string, before: () => Promise<void>): void {
  const replace = store.replace.bind(store);
  store.replace = async (key, ...rest) => {
    if (key === of) await before();
    await replace(key, ...rest);
  };
}

describe("a changed bar", () => {
  it("whose writer ends between the record and the file is recorded once when it is run again", async () => {
    const fetcher = await setUp();
    let isDying = true;
    onReplace(fetcher.runtime.store, FILE, async () => {
      if (isDying) throw new StoreUnavailableError("killed here");
    });
    await expect(fetcher.fetch(EVENT)).rejects.toThrow("killed here");
    expect(recorded(fetcher)).toHaveLength(1);
    expect((await fetcher.stored(DAY)).bars).toEqual([plainBar("BHP", DAY)]);

    isDying = false;
    await fetcher.wait(3_600_000);
    expect(await fetcher.fetch(EVENT)).toMatchObject({ revised: 1 });
    expect((await fetcher.stored(DAY)).bars).toMatchObject([{ symbol: "BHP", close: 10.75 }]);
    expect(recorded(fetcher)).toHaveLength(1);
    expect(await fetcher.fetch(EVENT)).toMatchObject({ revised: 0 });
    expect(recorded(fetcher)).toHaveLength(1);
  });

  it("whose record cannot be written is not replaced: no number changes silently", async () => {
    const fetcher = await setUp();
    onReplace(fetcher.runtime.store, RECORD, async () => {
      throw new StoreUnavailableError("no room");
    });
    await expect(fetcher.fetch(EVENT)).rejects.toThrow("no room");
    expect((await fetcher.stored(DAY)).bars).toEqual([plainBar("BHP", DAY)]);
  });

  it("whose record is damaged is not replaced, and the record is left as it is", async () => {
    const fetcher = await setUp();
    const damaged = new TextEncoder().encode('{"version":1,');
    await fetcher.runtime.store.put(RECORD, damaged);
    const before = [...fetcher.runtime.store.objects];
    await expect(fetcher.fetch(EVENT)).rejects.toThrow(StoredFileError);
    expect([...fetcher.runtime.store.objects]).toEqual(before);
  });

  it("that two writers find at once is replaced and recorded once", async () => {
    const fetcher = await setUp();
    let isFirst = true;
    onReplace(fetcher.runtime.store, FILE, async () => {
      if (!isFirst) return;
      isFirst = false;
      await fetcher.fetchWithin(EVENT);
    });
    const result = await fetcher.fetch(EVENT);
    expect(result.rows).toBe(1);
    expect((await fetcher.stored(DAY)).bars).toMatchObject([{ close: 10.75 }]);
    expect(recorded(fetcher)).toHaveLength(1);
  });

  it("and the new bar of another writer are both in the file", async () => {
    const fetcher = await setUp();
    let isFirst = true;
    onReplace(fetcher.runtime.store, FILE, async () => {
      if (!isFirst) return;
      isFirst = false;
      await fetcher.fetchWithin({ symbols: ["CBA"], batchNumber: 0, date: DAY });
    });
    await fetcher.fetch(EVENT);
    expect((await fetcher.stored(DAY)).bars).toMatchObject([
      { symbol: "BHP", close: 10.75 },
      { symbol: "CBA", close: 10.5 },
    ]);
  });

  it("stays in its batch, and the rest of its file as it is", async () => {
    const fetcher = await setUp();
    const { store } = fetcher.runtime;
    store.objects.delete(FILE);
    await storeFile(fetcher.runtime, { date: DAY, batchNumber: 9 }, [
      plainBar("BHP", DAY, 9),
      plainBar("RIO", DAY, 9, { dividend: 1 }),
    ]);
    expect(await fetcher.fetch(EVENT)).toMatchObject({ rows: 0, revised: 1, counts: { fetched: 1 } });
    expect((await fetcher.stored(DAY, 9)).bars).toMatchObject([
      { symbol: "BHP", close: 10.75, batchNumber: 9 },
      plainBar("RIO", DAY, 9, { dividend: 1 }),
    ]);
    expect([...store.objects.keys()].filter((key) => key.startsWith("revisions/"))).toEqual([
      `revisions/${DAY}-batch-9.json`,
    ]);
  });
});

describe("an invalid bar", () => {
  it("can turn out to be invalid for another reason, or none at all", async () => {
    const event = { ...EVENT, symbols: ["BHP", "CBA"] };
    const bars: Record<string, Record<string, object | null>> = { BHP: { [DAY]: { low: 20 } }, CBA: { [DAY]: {} } };
    const fetcher = createTestFetcher({ bars });
    await storeFile(
      fetcher.runtime,
      { date: DAY },
      [plainBar("CBA", DAY)],
      [{ symbol: "BHP", outcome: "invalid", reason: "low 30 is above high 11" }],
    );
    await fetcher.fetch(event);
    expect((await fetcher.stored(DAY)).reports).toMatchObject([{ reason: "low 20 is above high 11" }]);
    bars["BHP"] = { [DAY]: null };
    await fetcher.fetch(event);
    expect((await fetcher.stored(DAY)).reports).toEqual([{ symbol: "BHP", outcome: "noTrade" }]);
  });
});
