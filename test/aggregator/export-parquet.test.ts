import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Aggregator } from "../../aggregator/index.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { createLocalStore } from "../../stores/local-store.ts";

const DAY = "2024-05-31";

let folder: string;
let out: string;
let aggregator: Aggregator;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  out = join(folder, "out");
  await mkdir(out);
  const bars = ["ANZ", "BHP", "CBA"].map((symbol, position) => ({
    symbol,
    date: DAY,
    ...{ open: 10, high: 20, low: 5, close: 10.1 + position, adjustedClose: null },
    ...{ volume: 1000, dividend: null, splitRatio: null, fetchTimestamp: 1_717_148_400_123, batchNumber: 0 },
  }));
  const bytes = await encodeBatchFile({ bars, reports: [] });
  await createLocalStore(join(folder, "store")).put(`raw-data/${DAY}-batch-0.parquet`, bytes);
  aggregator = await Aggregator.open(`file:${join(folder, "store")}`, { cacheDir: join(folder, "cache") });
});
afterEach(async () => {
  await aggregator.close();
  await rm(folder, { recursive: true, force: true });
});

/** What DuckDB by itself finds, in the order of the file. */
async function read(sql: string): Promise<unknown[]> {
  const instance = await DuckDBInstance.create(":memory:");
  try {
    return (await (await instance.connect()).runAndReadAll(sql)).getRowObjectsJson();
  } finally {
    instance.closeSync();
  }
}

describe("exportParquet", () => {
  it("writes the rows of a query in its order, compressed with Zstandard, and says how many and how large", async () => {
    const path = join(out, "it's.parquet");
    const query = "select symbol, date, close from bars where close > $1 order by close desc; ";
    const written = await aggregator.exportParquet(query, [10.5], path);
    const quoted = path.replaceAll("'", "''");
    expect(await read(`from '${quoted}'`)).toEqual([
      { symbol: "CBA", date: DAY, close: 12.1 },
      { symbol: "BHP", date: DAY, close: 11.1 },
    ]);
    expect(await read(`select distinct compression from parquet_metadata('${quoted}')`)).toEqual([
      { compression: "ZSTD" },
    ]);
    expect(written).toEqual({ rows: 2, bytes: (await readFile(path)).length });
    expect(await readdir(out)).toEqual(["it's.parquet"]);
  });

  it.each([
    ["no SELECT", "describe bars", "cannot be written as Parquet"],
    ["two statements", "select 1; select 2", "give one statement; there are 2"],
    ["what is no query", "selct 1", "does not parse"],
    ["what ends the brackets that are put around it", "select 1) to 'other.parquet'; --", "does not parse"],
    ["what follows its end", "select 1; -- one", "nothing after its end"],
    ["what changes something", "create table t as select 1", "only statements that read"],
    ["a value too few", "select $1", "has 1 parameters, and 0 values"],
    ["a column that is not there", "select price from bars", "price"],
  ])("refuses %s, and leaves nothing behind", async (_, query, message) => {
    await expect(aggregator.exportParquet(query, [], join(out, "f.parquet"))).rejects.toMatchObject({
      name: "InvalidInputError",
      message: expect.stringContaining(message),
    });
    expect(await readdir(out)).toEqual([]);
  });

  it("keeps what stands there unless it may be replaced, and where the query fails", async () => {
    const path = join(out, "f.parquet");
    await writeFile(path, "mine");
    await expect(aggregator.exportParquet("select 1 as a", [], path)).rejects.toThrow("is there already");
    const failing = aggregator.exportParquet("select error('no') from bars", [], path, { overwrite: true });
    await expect(failing).rejects.toMatchObject({ name: "QueryFailedError" });
    expect(await readFile(path, "utf8")).toBe("mine");
    await aggregator.exportParquet("select 1 as a", [], path, { overwrite: true });
    expect(await read(`from '${path}'`)).toEqual([{ a: 1 }]);
    expect(await readdir(out)).toEqual(["f.parquet"]);
  });

  it("replaces the file that a link leads to, not the link", async () => {
    await writeFile(join(out, "f.parquet"), "mine");
    await symlink("f.parquet", join(out, "link"));
    await aggregator.exportParquet("select 1 as a", [], join(out, "link"), { overwrite: true });
    expect(await read(`from '${join(out, "f.parquet")}'`)).toEqual([{ a: 1 }]);
  });

  it.each([
    ["a folder", "", "is no file"],
    ["a device", "/dev/null", "is no file"],
    ["a file of a folder that is not there", "no/f.parquet", "its folder does not exist"],
    ["a file below a file", "f/g.parquet", "what should be its folder is none"],
  ])("refuses %s", async (_, name, message) => {
    await writeFile(join(out, "f"), "mine");
    const path = name.startsWith("/") ? name : join(out, name);
    const written = aggregator.exportParquet("select 1 as a", [], path, { overwrite: true });
    await expect(written).rejects.toMatchObject({
      name: "InvalidInputError",
      message: expect.stringContaining(message),
    });
  });
});
