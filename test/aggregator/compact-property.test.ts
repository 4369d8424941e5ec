import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Aggregator, type BarRow } from "../../aggregator/index.ts";
import type { Bar } from "../../domain/bar.ts";
import { rawDataPrefix, runKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { rowOfBar } from "../support/bar-rows.ts";
import { anyBar, putBatch, putSummary, type StoredBatch } from "../support/stored-bars.ts";

const DATES = ["2023-12-28", "2023-12-29", "2024-01-02", "2024-01-03"];
const SYMBOLS = ["360", "BHP", "CBA", "WOW"];

const date = fc.constantFrom(...DATES);
/** For each symbol the batches that hold it; null is the older form. A symbol may stand in several. */
const split = fc.array(fc.uniqueArray(fc.constantFrom<number | null>(null, 0, 1, 2), { maxLength: 2 }), {
  minLength: SYMBOLS.length,
  maxLength: SYMBOLS.length,
});

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("run"), date, split, isRecorded: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("compact") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("merge"), date }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("archive"), date }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("open") }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** A store, and beside it what it has to give. */
class Model {
  readonly #store: ObjectStore;
  readonly bars = new Map<string, BarRow[]>();
  #version = 0;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async run(day: string, batchesOf: readonly (readonly (number | null)[])[], isRecorded: boolean): Promise<void> {
    if (!isRecorded && batchesOf.every(({ length }) => length === 0)) return; // nothing would be stored
    await this.archive(day);
    const batches = new Map<number | null, Bar[]>();
    const last = new Map<string, Bar>();
    for (const [index, symbol] of SYMBOLS.entries()) {
      for (const batch of batchesOf[index] ?? []) {
        this.#version += 1; // of a symbol's bars the one stored last was fetched last
        const bar = anyBar(symbol, day, this.#version, batch);
        batches.set(batch, [...(batches.get(batch) ?? []), bar]);
        last.set(symbol, bar);
      }
    }
    const files: StoredBatch[] = [];
    for (const [batch, bars] of batches) files.push(await putBatch(this.#store, day, batch, bars));
    if (isRecorded) await putSummary(this.#store, day, files, files.length === 0 ? "failed" : "complete", last.size);
    this.bars.set(day, [...last.values()].map(rowOfBar));
  }

  /** Takes the daily files of a date away. */
  async archive(day: string): Promise<void> {
    await this.#store.remove(runKey(day));
    for (const { key } of await this.#store.list(rawDataPrefix(day))) await this.#store.remove(key);
  }

  rows(dates: readonly string[]): BarRow[] {
    const rows = dates.flatMap((day) => this.bars.get(day) ?? []);
    return rows.sort((left, right) => (`${left.symbol} ${left.date}` < `${right.symbol} ${right.date}` ? -1 : 1));
  }
}

describe("any split of bars over batches, files and compaction states", () => {
  it("gives the same answers", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async (steps) => {
        const folder = await mkdtemp(join(tmpdir(), "asx-eod-property-"));
        try {
          await play(folder, steps);
        } finally {
          await rm(folder, { recursive: true, force: true });
        }
      }),
      { numRuns: 40, seed: 20_240_531, endOnFailure: true },
    );
  });
});

async function play(folder: string, steps: readonly Step[]): Promise<void> {
  const store = createLocalStore(join(folder, "store"));
  await mkdir(join(folder, "store"), { recursive: true });
  const model = new Model(store);
  const open = () => Aggregator.open(`file:${join(folder, "store")}`, { cacheDir: join(folder, "cache") });
  let asx = await open();
  try {
    for (const each of steps) {
      if (each.kind === "run" && "split" in each) await model.run(each.date, each.split, each.isRecorded);
      else if (each.kind === "compact") {
        const { rows, skipped } = await asx.compact();
        expect([rows, skipped]).toEqual([model.rows(DATES).length, []]);
      } else if (each.kind === "merge" && "date" in each) {
        const rows = model.rows([each.date]);
        if (rows.length > 0) expect((await asx.mergeDailyBatches(each.date)).rows).toBe(rows.length);
      } else if (each.kind === "archive" && "date" in each) {
        await asx.compact();
        if (model.rows([each.date]).length > 0) await model.archive(each.date);
      } else {
        await asx.close();
        asx = await open();
      }
      expect((await asx.loadAll()).toRows()).toEqual(model.rows(DATES));
      expect((await asx.loadDateRange("2023-12-29", "2024-01-02")).toRows()).toEqual(model.rows(DATES.slice(1, 3)));
      const [counted] = (await asx.sql("SELECT count(*) AS bars FROM bars")).toRows();
      expect(Number(counted?.["bars"])).toBe(model.rows(DATES).length);
    }
  } finally {
    await asx.close();
  }
}
