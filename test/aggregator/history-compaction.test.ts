/** Compaction of backfills keeps its promises: killed at any write, and beside a backfill that goes on. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { StoreUnavailableError } from "../../domain/errors.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { putBackfill } from "../support/history-store.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { type OpenedLibrary, openLibrary } from "../support/opened-library.ts";
import { barOf, putDay } from "../support/s3-bars.ts";

const SPAN = { from: "2023-12-28", to: "2024-01-03" };
const DATES = ["2023-12-28", "2023-12-29", "2024-01-02", "2024-01-03"];

let folder: string;
let store: ObjectStore;
const opened: OpenedLibrary[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  store = createMemoryStore();
  await putHistory(["BHP", "CBA"]);
  await putDay(store, "2024-01-03", { BHP: 45 });
});
afterEach(async () => {
  for (const library of opened.splice(0)) library.close();
  await rm(folder, { recursive: true, force: true });
});

/** The bars were fetched before those of the day's run. */
async function putHistory(symbols: readonly string[]): Promise<void> {
  const values = { close: 44, fetchTimestamp: 1_700_000_000_000 };
  await putBackfill(store, {
    span: SPAN,
    batches: symbols.map((symbol) => DATES.map((date) => barOf(symbol, date, values))),
  });
}

/** @param beforeWrite is awaited ahead of each write, with how many were before it. */
async function open(beforeWrite: (count: number) => Promise<void> = async () => undefined): Promise<OpenedLibrary> {
  let count = 0;
  const next = (): Promise<void> => beforeWrite(count++);
  const watched: ObjectStore = {
    ...store,
    put: async (...given) => {
      await next();
      await store.put(...given);
    },
    replace: async (...given) => {
      await next();
      await store.replace(...given);
    },
  };
  const library = await openLibrary(watched, join(folder, `cache-${opened.length}`));
  opened.push(library);
  return library;
}

async function closes(): Promise<string[]> {
  return (await (await open()).load()).toRows().map(({ symbol, date, close }) => `${symbol} ${date} ${close}`);
}

function expected(symbols: readonly string[]): string[] {
  const closeOf = (symbol: string, date: string): number => (symbol === "BHP" && date === "2024-01-03" ? 45 : 44);
  return symbols.flatMap((symbol) => DATES.map((date) => `${symbol} ${date} ${closeOf(symbol, date)}`));
}

it("killed at any write, it leaves every bar once, and the next one ends it", async () => {
  const other = createMemoryStore();
  let writes = 0;
  const count = async (): Promise<void> => {
    writes += 1;
  };
  for (const { key } of await store.list("")) await other.put(key, (await store.get(key)) ?? new Uint8Array());
  const whole = store;
  store = other;
  const { written } = await (await open(count)).compact();
  store = whole;
  expect(written).toHaveLength(2);
  for (let kill = 0; kill < writes; kill += 1) {
    const killed = await open(async (done) => {
      if (done >= kill) throw new StoreUnavailableError("killed");
    });
    await expect(killed.compact()).rejects.toThrow("killed");
    expect(await closes()).toEqual(expected(["BHP", "CBA"]));
  }
  expect((await (await open()).compact()).written).toEqual(written);
  expect(await closes()).toEqual(expected(["BHP", "CBA"]));
});

it("beside a backfill that goes on, it publishes what it saw, and its years are compacted again", async () => {
  const library = await open(async (done) => {
    if (done === 0) await putHistory(["BHP", "CBA", "NAB"]);
  });
  await library.compact();
  expect(await closes()).toEqual(expected(["BHP", "CBA", "NAB"]));
  expect((await library.compact()).written).toHaveLength(2);
  expect((await library.compact()).written).toEqual([]);
  expect(await closes()).toEqual(expected(["BHP", "CBA", "NAB"]));
});
