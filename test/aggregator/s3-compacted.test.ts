import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fileSumsText } from "../../aggregator/file-sums.ts";
import type { Aggregator } from "../../aggregator/index.ts";
import { curatedKey, curatedManifestKey } from "../../domain/object-keys.ts";
import { sha256 } from "../../stores/sha256.ts";
import {
  barOf,
  putBatch,
  putDay,
  putRun,
  S3_ENVIRONMENT,
  type S3Bars,
  type StoredBatch,
  startS3Bars,
} from "../support/s3-bars.ts";

const DAYS = ["2024-05-30", "2024-05-31"] as const;
const [THURSDAY, FRIDAY] = DAYS;
const CLOSES = [`BHP ${THURSDAY} 44.1`, `BHP ${FRIDAY} 44.2`, `CBA ${THURSDAY} 44.1`, `CBA ${FRIDAY} 44.2`];

let s3: S3Bars;
let folder: string;
let compacted: string;

beforeEach(async () => {
  for (const [name, value] of Object.entries(S3_ENVIRONMENT)) vi.stubEnv(name, value);
  s3 = await startS3Bars();
  folder = await mkdtemp(join(tmpdir(), "asx-eod-compacted-"));
  compacted = await compactDays();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await s3.close();
  await rm(folder, { recursive: true, force: true });
});

/** Stores two days of two batches, and a compacted file of both days. Returns its key. */
async function compactDays(): Promise<string> {
  const paths: string[] = [];
  const days: Record<string, { rows: number; sums: string }> = {};
  for (const [index, date] of DAYS.entries()) {
    const close = 44.1 + index / 10;
    const batches: StoredBatch[] = [];
    for (const [batchNumber, symbol] of ["BHP", "CBA"].entries()) {
      const batch = await putBatch(s3.store, date, batchNumber, [barOf(symbol, date, { close, batchNumber })]);
      const path = join(folder, `${date}-${batchNumber}.parquet`);
      await writeFile(path, (await s3.store.get(batch.key)) ?? expect.fail());
      paths.push(path);
      batches.push(batch);
    }
    await putRun(s3.store, date, batches);
    days[date] = { rows: 2, sums: fileSumsText(batches) };
  }
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const merged = join(folder, "merged.parquet");
  const sources = paths.map((path) => `'${path}'`).join(", ");
  await connection.run(
    `COPY (SELECT * FROM read_parquet([${sources}]) ORDER BY symbol, date) TO '${merged}' (FORMAT parquet, COMPRESSION zstd)`,
  );
  connection.closeSync();
  instance.closeSync();
  const bytes = await readFile(merged);
  const key = curatedKey({ period: "2024", hash: sha256(bytes).slice(0, 16) });
  const file = { key, sha256: sha256(bytes), bytes: bytes.length, rows: 4, days };
  await s3.store.put(key, bytes);
  const manifest = { version: 1, updatedAt: "2024-06-01T00:00:00.000Z", files: [file], superseded: [] };
  await s3.store.put(curatedManifestKey, new TextEncoder().encode(JSON.stringify(manifest)));
  return key;
}

async function closes(asx: Aggregator): Promise<unknown[]> {
  const bars = await asx.loadDateRange(THURSDAY, FRIDAY);
  return bars.toRows().map(({ symbol, date, close }) => `${symbol} ${date} ${close}`);
}

async function deleteObject(key: string): Promise<void> {
  const { status } = await fetch(`${s3.front.endpoint}/${s3.url.slice(5)}/${key}`, { method: "DELETE" });
  expect(status).toBe(204);
}

describe("days of a bucket that a compacted file covers", () => {
  it("are read from it alone, once for all loads", async () => {
    const asx = await s3.open();
    expect(await closes(asx)).toEqual(CLOSES);
    expect(
      s3
        .requests()
        .gets.filter((key) => !key.startsWith("runs/"))
        .toSorted(),
    ).toEqual([compacted, curatedManifestKey].toSorted());
    expect(await closes(asx)).toEqual(CLOSES);
    expect(s3.requests().gets).toEqual([]);
  });

  it("need none of their raw-data files", async () => {
    await deleteObject(`raw-data/${FRIDAY}-batch-1.parquet`);
    expect(await closes(await s3.open())).toEqual(CLOSES);
  });

  it("are read from their raw-data files where they were run again since", async () => {
    const asx = await s3.open();
    await closes(asx);
    await putDay(s3.store, FRIDAY, { BHP: 50, CBA: 51 });
    expect(await closes(asx)).toEqual([CLOSES[0], `BHP ${FRIDAY} 50`, CLOSES[2], `CBA ${FRIDAY} 51`]);
  });

  it("are fetched again where the copy in the cache is damaged", async () => {
    await closes(await s3.open());
    s3.requests();
    await flipCached("bars-2024-");
    const later = await s3.open();
    expect(await closes(later)).toEqual(CLOSES);
    expect(s3.requests().gets).toContain(compacted);
    expect(await closes(later)).toEqual(CLOSES);
    expect(s3.requests().gets).toEqual([]);
  });

  it("are read from the cache while the bucket cannot be reached, by a later process, a part too", async () => {
    await closes(await s3.open({ onWarning: () => undefined }));
    s3.answers(503);
    const later = await s3.open({ onWarning: () => undefined });
    expect(await closes(later)).toEqual(CLOSES);
    expect((await later.loadDate(FRIDAY)).symbols).toEqual(["BHP", "CBA"]);
  });

  it("are no wrong bars, but an error, where that copy is damaged meanwhile", async () => {
    await closes(await s3.open());
    await flipCached("bars-2024-");
    s3.answers(503);
    const later = await s3.open({ onWarning: () => undefined });
    await expect(closes(later)).rejects.toThrow(/raw-data.* is not in the cache .* cannot be reached/);
  });
});

async function flipCached(name: string): Promise<void> {
  const paths = await readdir(s3.cacheDir, { recursive: true });
  const path = join(s3.cacheDir, paths.find((each) => each.includes(name)) ?? expect.fail(`${name} is not cached`));
  await writeFile(
    path,
    (await readFile(path)).map((byte, at) => (at === 200 ? byte ^ 1 : byte)),
  );
}
