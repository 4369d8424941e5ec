import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Aggregator } from "../../aggregator/index.ts";
import { StoreRefusedError } from "../../domain/errors.ts";
import { runKey } from "../../domain/object-keys.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { putDay, S3_ENVIRONMENT, type S3Bars, startS3Bars } from "../support/s3-bars.ts";

const DAY = "2024-05-31";
const CLOSES = { BHP: 44, CBA: 120, WOW: 31 };
const RAW = `raw-data/${DAY}-batch-1.parquet`;

let s3: S3Bars;
let asx: Aggregator;

beforeEach(async () => {
  for (const [name, value] of Object.entries(S3_ENVIRONMENT)) vi.stubEnv(name, value);
  s3 = await startS3Bars();
  await putDay(s3.store, DAY, CLOSES);
  asx = await s3.open();
  await asx.loadDate(DAY);
  s3.requests();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await s3.close();
});

/** Loads the date, and checks that it is what was stored. */
async function expectRight(aggregator: Aggregator): Promise<void> {
  const rows = (await aggregator.loadDate(DAY)).toRows();
  expect(Object.fromEntries(rows.map(({ symbol, close }) => [symbol, close]))).toEqual(CLOSES);
}

/** The paths of files of the cache whose names hold a text. */
async function cached(name: string): Promise<string[]> {
  const paths = await readdir(s3.cacheDir, { recursive: true });
  return paths.filter((path) => path.includes(name)).map((path) => join(s3.cacheDir, path));
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

describe("a file in the cache", () => {
  it.each([0, 3, 4, 60, 500, -5, -1])("with byte %i changed is fetched again, and is no error", async (at) => {
    for (const later of [asx, await s3.open()]) {
      const [path = ""] = await cached(`${DAY}-batch-1.`);
      await flip(path, at < 0 ? (await readFile(path)).length + at : at);
      await expectRight(later);
      expect(s3.requests().gets).toEqual([RAW]);
    }
    await expectRight(await s3.open());
    expect(s3.requests().gets).toEqual([]);
  });

  it("that no run summary names, changed, is fetched again too", async () => {
    await fetch(`${s3.front.endpoint}/${s3.url.slice(5)}/${runKey(DAY)}`, { method: "DELETE" });
    await expectRight(asx);
    s3.requests();
    await flip((await cached(`${DAY}-batch-1.`))[0] ?? "", 60);
    await expectRight(asx);
    expect(s3.requests().gets).toEqual([RAW]);
  });

  it("that is deleted before a load, or while it runs, is fetched again", async () => {
    for (const path of await cached(`${DAY}-batch-`)) await rm(path);
    await expectRight(asx);
    expect(s3.requests().gets).toHaveLength(3);
    let isDone = false;
    s3.onRequest(async () => {
      if (!isDone) for (const path of await cached(`${DAY}-batch-`)) await rm(path);
      isDone = true;
    });
    await expectRight(asx);
    expect(isDone).toBe(true);
    await expectRight(asx);
  });
});

describe("what is remembered of files", () => {
  it.each(["files-2024-05.json", "runs-2024-05.json", "looks.json"])(
    "in %s is made anew where any byte of it changed",
    async (name) => {
      const [path = ""] = await cached(name);
      const whole = await readFile(path);
      for (let at = 0; at < whole.length; at += 29) {
        await writeFile(path, whole);
        await flip(path, at);
        await expectRight(await s3.open());
      }
      await writeFile(path, whole.subarray(0, whole.length / 2));
      await expectRight(await s3.open());
      expect(await readFile(path)).not.toHaveLength(Math.floor(whole.length / 2));
    },
    60_000,
  );

  it("may be deleted, the whole folder at any time", async () => {
    await rm(s3.cacheDir, { recursive: true });
    await expectRight(asx);
    await expectRight(await s3.open());
  });
});

describe("a cache folder that cannot be written", () => {
  it("ends in an error that names it, for a bucket", async () => {
    const cacheDir = join(s3.cacheDir, "file");
    await writeFile(cacheDir, "a file stands in its place");
    const later = await s3.open({ cacheDir });
    const error: unknown = await later.loadDate(DAY).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StoreRefusedError);
    expect(error).toMatchObject({ message: expect.stringMatching(/cannot be written .* cacheDir/) });
    expect(error).toMatchObject({ message: expect.stringContaining(cacheDir) });
  });

  it("is told once for a folder, whose bars need none", async () => {
    const cacheDir = join(s3.cacheDir, "file");
    await writeFile(cacheDir, "a file stands in its place");
    const folder = join(s3.cacheDir, "store");
    await putDay(createLocalStore(folder), DAY, CLOSES);
    const warnings: string[] = [];
    const local = await Aggregator.open(`file:${folder}`, { cacheDir, onWarning: (message) => warnings.push(message) });
    await expectRight(local);
    await expectRight(local);
    await local.close();
    expect(warnings).toEqual([expect.stringContaining(cacheDir)]);
  });
});
