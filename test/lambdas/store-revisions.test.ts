import { describe, expect, it } from "vitest";
import { StoreConflictError, StoredFileError } from "../../domain/errors.ts";
import { type Revision, reviseBar, revisionsFile } from "../../domain/revision.ts";
import { storeRevisions } from "../../lambdas/batch-fetcher/store-revisions.ts";
import { plainBar } from "../support/test-fetcher.ts";
import { createTestRuntime, type TestRuntime } from "../support/test-runtime.ts";

const DAY = "2024-05-31";
const BATCH = `raw-data/${DAY}-batch-3.parquet`;
const RECORD = `revisions/${DAY}-batch-3.json`;

/** A change of a symbol's close from one value to another, found at an hour of the next day. */
function change(symbol: string, from: number, to: number, hour = 9): Revision {
  const fetchTimestamp = Date.parse("2024-06-01T00:00:00Z") + hour * 3_600_000;
  const [before, after] = [plainBar(symbol, DAY, 3, { close: from }), plainBar(symbol, DAY, 3, { close: to })];
  const found = reviseBar(before, { ...after, fetchTimestamp });
  if (found === undefined) throw new Error(`${symbol} has not changed`);
  return found;
}

function recorded({ store }: TestRuntime) {
  return revisionsFile.parse(JSON.parse(new TextDecoder().decode(store.objects.get(RECORD)))).revisions;
}

/** Runs `meanwhile` just before the first writing. */
function interrupt({ store }: TestRuntime, meanwhile: () => Promise<unknown>): void {
  const replace = store.replace.bind(store);
  let isFirst = true;
  store.replace = async (...args) => {
    if (isFirst) {
      isFirst = false;
      await meanwhile();
    }
    await replace(...args);
  };
}

describe("the record of changed bars", () => {
  it("lies beside the batch file of the same name, with its date, and grows at its end", async () => {
    const runtime = createTestRuntime();
    await storeRevisions(BATCH, [change("BHP", 10, 11), change("CBA", 5, 6)], runtime);
    await storeRevisions(BATCH, [change("BHP", 11, 12)], runtime);
    expect([...runtime.store.objects.keys()]).toEqual([RECORD]);
    expect(recorded(runtime)).toEqual([change("BHP", 10, 11), change("CBA", 5, 6), change("BHP", 11, 12)]);
  });

  it("of a day in one file lies beside that", async () => {
    const runtime = createTestRuntime();
    await storeRevisions(`raw-data/${DAY}.parquet`, [change("BHP", 10, 11)], runtime);
    expect([...runtime.store.objects.keys()]).toEqual([`revisions/${DAY}.json`]);
  });

  it("is not made where nothing changed, nor read", async () => {
    const runtime = createTestRuntime();
    await storeRevisions(BATCH, [], runtime);
    expect(runtime.store.calls).toEqual([]);
  });

  it("holds a change once, though it is found again by a run that follows one that was killed", async () => {
    const runtime = createTestRuntime();
    await storeRevisions(BATCH, [change("BHP", 10, 11), change("CBA", 5, 6)], runtime);
    await storeRevisions(BATCH, [change("BHP", 10, 11, 12), change("CBA", 5, 6, 12)], runtime);
    expect(recorded(runtime)).toEqual([change("BHP", 10, 11), change("CBA", 5, 6)]);
  });

  it("holds a change back to old values and forth again each time", async () => {
    const runtime = createTestRuntime();
    const changes = [change("BHP", 10, 11), change("BHP", 11, 10, 10), change("BHP", 10, 11, 11)];
    for (const each of changes) await storeRevisions(BATCH, [each], runtime);
    expect(recorded(runtime)).toEqual(changes);
  });

  it("loses neither's changes where two write at once", async () => {
    const runtime = createTestRuntime();
    interrupt(runtime, () => storeRevisions(BATCH, [change("CBA", 5, 6)], runtime));
    await storeRevisions(BATCH, [change("BHP", 10, 11)], runtime);
    expect(recorded(runtime)).toEqual([change("CBA", 5, 6), change("BHP", 10, 11)]);
  });

  it("holds a change once where two find it at once", async () => {
    const runtime = createTestRuntime();
    interrupt(runtime, () => storeRevisions(BATCH, [change("BHP", 10, 11)], runtime));
    await storeRevisions(BATCH, [change("BHP", 10, 11)], runtime);
    expect(recorded(runtime)).toEqual([change("BHP", 10, 11)]);
  });

  it("is given up after eight tries, transiently", async () => {
    const runtime = createTestRuntime();
    let tries = 0;
    runtime.store.replace = async (key) => {
      tries += 1;
      throw new StoreConflictError(`${key} was changed`);
    };
    await expect(storeRevisions(BATCH, [change("BHP", 10, 11)], runtime)).rejects.toThrow(StoreConflictError);
    expect(tries).toBe(8);
    expect(runtime.clock.slept).toEqual(Array(7).fill(100));
  });

  it.each(["", "{", "[]", '{"version":2,"date":"2024-05-31","revisions":[]}', "\u0000"])(
    "that is damaged (%j) is named and left as it is",
    async (text) => {
      const runtime = createTestRuntime();
      const damaged = new TextEncoder().encode(text);
      await runtime.store.put(RECORD, damaged);
      await expect(storeRevisions(BATCH, [change("BHP", 10, 11)], runtime)).rejects.toThrow(StoredFileError);
      await expect(storeRevisions(BATCH, [change("BHP", 10, 11)], runtime)).rejects.toThrow(`${RECORD} is damaged`);
      expect(runtime.store.objects.get(RECORD)).toEqual(damaged);
    },
  );
});
