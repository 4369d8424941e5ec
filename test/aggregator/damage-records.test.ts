/** Run summaries, the manifest of compacted files and these files themselves: damaged, missing, or of another state. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CuratedManifest } from "../../aggregator/curated-manifest.ts";
import { fileSumsText } from "../../aggregator/file-sums.ts";
import { StoredFileError } from "../../aggregator/index.ts";
import { curatedKey, runKey } from "../../domain/object-keys.ts";
import type { BatchEntry } from "../../domain/run-summary.ts";
import { sha256 } from "../../stores/sha256.ts";
import { type BarStore, barOf, barQuery, openBarStore, parquetOf } from "../support/bar-store.ts";

/** More dates than are read from small files for being few. */
const DATES = ["2024-05-23", "2024-05-24", "2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30", "2024-05-31"];
const [FROM, TO] = ["2024-05-23", "2024-05-31"];
const DAMAGED = "2024-05-29";
const MANIFEST = "curated/manifest.json";

let stored: BarStore;
let batches: Map<string, BatchEntry>;
beforeEach(async () => {
  stored = await openBarStore();
  batches = new Map();
  for (const date of DATES) {
    const entry = await stored.putBars(
      [barOf("BHP", { date, close: 44 }), barOf("CBA", { date, close: 119 })],
      0,
      date,
    );
    batches.set(date, entry);
    await stored.putSummary([entry], ["BHP", "CBA"], { date });
  }
});
afterEach(async () => {
  await stored.close();
});

function put(key: string, content: string | Uint8Array): Promise<void> {
  return stored.store.put(key, typeof content === "string" ? new TextEncoder().encode(content) : content);
}

/** How often each close of BHP comes, whichever way they are asked for. */
async function closes(onBadFile: "error" | "skip" = "error"): Promise<Record<string, number>> {
  const bars = await stored.aggregator.loadDateRange(FROM, TO, { symbols: ["BHP"], onBadFile });
  const all = await stored.aggregator.loadAll({ onBadFile });
  expect(all.of("BHP").toRows()).toEqual(bars.toRows());
  if (onBadFile === "error") {
    const rows = (await stored.aggregator.sql("SELECT close FROM bars WHERE symbol = 'BHP' ORDER BY date")).toRows();
    expect(rows.map(({ close }) => close)).toEqual([...bars.close]);
  }
  const counts: Record<string, number> = {};
  for (const close of bars.close) counts[close] = (counts[close] ?? 0) + 1;
  return counts;
}

async function expectRefused(message: RegExp): Promise<void> {
  const { aggregator } = stored;
  for (const ask of [
    () => aggregator.loadDateRange(FROM, TO),
    () => aggregator.loadAll({ columns: ["close"] }),
    () => aggregator.sql("SELECT * FROM bars"),
  ]) {
    await expect(ask()).rejects.toThrow(StoredFileError);
    await expect(ask()).rejects.toThrow(message);
  }
}

async function expectSkipped(counts: Record<string, number>, key: string, reason: RegExp): Promise<void> {
  expect(await closes("skip")).toEqual(counts);
  const { coverage } = await stored.aggregator.loadDateRange(FROM, TO, { onBadFile: "skip" });
  expect(coverage.skipped).toEqual([{ key, reason: expect.stringMatching(reason) }]);
  expect(coverage.isComplete).toBe(false);
}

describe("a run summary", () => {
  const key = runKey(DAMAGED);

  it.each<[string, (text: string) => string | Uint8Array]>([
    ["is cut", (text) => text.slice(0, text.length / 2)],
    ["is empty", () => ""],
    ["is no JSON", () => "not JSON"],
    ["is no UTF-8", () => Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d)],
    ["is of another version", (text) => text.replace('"version":1', '"version":2')],
    ["is of another date", (text) => text.replaceAll(DAMAGED, "2024-05-30")],
    ["names the file of another date", (text) => text.replace(`raw-data/${DAMAGED}`, "raw-data/2024-05-30")],
    ["names a file that is no batch", (text) => text.replace(`raw-data/${DAMAGED}-batch-0`, "curated/x")],
    ["names a file without its hash", (text) => text.replace(/"sha256":"[0-9a-f]{64}"/, '"sha256":null')],
  ])("that %s is an error; skipped, the date's files count as they are there", async (_, damage) => {
    expect(await closes()).toEqual({ 44: 7 });
    const before = await stored.bytesOf(key);
    await put(key, damage(new TextDecoder().decode(before)));
    await expectRefused(new RegExp(`^${key} .*(restore it|run the date again)`));
    await expect(stored.aggregator.loadDate(DAMAGED)).rejects.toThrow(key);
    await expectSkipped({ 44: 7 }, key, /restore it|run the date again/);
    expect((await stored.aggregator.loadAll({ onBadFile: "skip" })).coverage.unrecorded).toEqual([DAMAGED]);
    await put(key, before);
    expect(await closes()).toEqual({ 44: 7 });
    expect((await stored.aggregator.loadAll()).coverage).toMatchObject({ skipped: [], unrecorded: [] });
  });

  it("that names one file twice gives its bars once", async () => {
    const entry = batches.get(DAMAGED);
    if (entry === undefined) throw new Error("there is no such batch");
    await stored.putSummary([entry, { ...entry, batchNumber: 1 }], ["BHP", "CBA"], { date: DAMAGED });
    expect(await closes()).toEqual({ 44: 7 });
    expect((await stored.aggregator.sql("SELECT count(*) AS n FROM bars")).toRows()).toEqual([{ n: 14 }]);
  });
});

describe("compacted files", () => {
  /** The bars of every date with closes of their own, so that it shows what was read. */
  async function compact(
    change: (manifest: CuratedManifest) => CuratedManifest = (manifest) => manifest,
    bytes?: Uint8Array,
  ) {
    const query = DATES.flatMap((date) => [
      barQuery({ close: "45::DOUBLE" }, "BHP", date),
      barQuery({ close: "120::DOUBLE" }, "CBA", date),
    ]).join(" UNION ALL ");
    const file = bytes ?? (await parquetOf(`SELECT * FROM (${query}) ORDER BY symbol, date`, ", COMPRESSION zstd"));
    const hash = sha256(file);
    const key = curatedKey({ period: "2024", hash: hash.slice(0, 16) });
    await put(key, file);
    const days = Object.fromEntries(
      DATES.map((date) => [
        date,
        { rows: 2, sums: fileSumsText([batches.get(date)].filter((entry) => entry !== undefined)) },
      ]),
    );
    const manifest = change({
      version: 1,
      updatedAt: "2024-06-01T00:00:00Z",
      files: [{ key, sha256: hash, bytes: file.length, rows: 2 * DATES.length, days }],
      superseded: [],
    });
    await put(MANIFEST, JSON.stringify(manifest));
    return { key, file };
  }

  it("are read for what they hold", async () => {
    expect(await closes()).toEqual({ 44: 7 });
    await compact();
    expect(await closes()).toEqual({ 45: 7 });
    expect((await stored.aggregator.loadAll()).coverage.isComplete).toBe(true);
  });

  it("are not read of a date that was run again since", async () => {
    await compact();
    expect(await closes()).toEqual({ 45: 7 });
    const date = DAMAGED;
    await stored.putSummary([await stored.putBars([barOf("BHP", { date, close: 46 })], 0, date)], ["BHP"], { date });
    expect(await closes()).toEqual({ 45: 6, 46: 1 });
  });

  it("are read where the files of a date are gone", async () => {
    await compact();
    for (const date of DATES) await rm(join(stored.folder, `raw-data/${date}-batch-0.parquet`));
    expect(await closes()).toEqual({ 45: 7 });
    expect((await stored.aggregator.loadDate(DAMAGED)).toRows()).toMatchObject([{ close: 45 }, { close: 120 }]);
  });

  it.each<[string, (file: Uint8Array) => Uint8Array | null]>([
    ["flipped", (file) => file.map((byte, at) => (at === file.length >> 1 ? byte ^ 1 : byte))],
    ["cut", (file) => file.subarray(0, file.length - 9)],
    ["empty", () => new Uint8Array()],
    ["missing", () => null],
  ])("that are %s are an error; skipped, the daily files are read", async (_, damage) => {
    const { key, file } = await compact();
    expect(await closes()).toEqual({ 45: 7 });
    const damaged = damage(file);
    if (damaged === null) await rm(join(stored.folder, key));
    else await writeFile(join(stored.folder, key), damaged);
    await expectRefused(new RegExp(`${key} is (damaged|missing).*delete ${MANIFEST} and compact again`));
    await expectSkipped({ 44: 7 }, key, /SHA-256|missing/);
    await put(key, file);
    expect(await closes()).toEqual({ 45: 7 });
  });

  it("that are no Parquet although their hash is right are an error", async () => {
    const { key } = await compact(undefined, new TextEncoder().encode("not bars"));
    await expectRefused(new RegExp(`${key} is no compacted file: it does not begin and end`));
    await expectSkipped({ 44: 7 }, key, /no compacted file/);
  });

  it("of a column less although their hash is right are an error", async () => {
    const { key } = await compact(undefined, await parquetOf(barQuery({ close: null })));
    await expectRefused(new RegExp(`${key} is no compacted file: it has no column close`));
    await expectSkipped({ 44: 7 }, key, /no column close/);
  });

  it.each<[string, (text: string) => string]>([
    ["cut", (text) => text.slice(0, -20)],
    ["of another version", (text) => text.replace('"version":1', '"version":9')],
    ["of keys of other folders", (text) => text.replaceAll("curated/bars-", "raw-data/bars-")],
    ["of dates that are none", (text) => text.replace("2024-05-29", "2024-05-32")],
  ])("named by a manifest that is %s are an error; skipped, the daily files are read", async (_, damage) => {
    await compact();
    expect(await closes()).toEqual({ 45: 7 });
    const before = await stored.bytesOf(MANIFEST);
    await put(MANIFEST, damage(new TextDecoder().decode(before)));
    await expectRefused(new RegExp(`^${MANIFEST} is damaged or no manifest: .*; delete it and compact again`));
    await expectSkipped({ 44: 7 }, MANIFEST, /delete it and compact again/);
    await put(MANIFEST, before);
    expect(await closes()).toEqual({ 45: 7 });
  });
});
