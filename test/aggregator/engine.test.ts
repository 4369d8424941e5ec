import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rowCount, valueAt } from "../../aggregator/column.ts";
import { Engine } from "../../aggregator/engine.ts";
import { beginsReading } from "../../aggregator/reading-sql.ts";
import { InvalidInputError, QueryFailedError, QueryTimeoutError } from "../../domain/errors.ts";

const ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = -1";

let folder: string;
let engine: Engine;
async function open(values: { memoryLimit?: string; timeoutMs?: number } = {}): Promise<Engine> {
  return Engine.open({
    memoryLimit: "256MB",
    temporaryFolder: join(folder, "it's spilt"),
    timeoutMs: 60_000,
    ...values,
  });
}
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  engine = await open();
});
afterEach(async () => {
  engine.close();
  await rm(folder, { recursive: true, force: true });
});

async function setting(name: string): Promise<unknown> {
  const column = (await engine.query(`SELECT current_setting('${name}') AS value`)).get("value");
  return column === undefined ? undefined : valueAt(column, 0);
}

describe("the engine", () => {
  it("is set for small files, in UTC, and downloads nothing", async () => {
    expect(await setting("preserve_insertion_order")).toBe(false);
    expect(await setting("enable_external_file_cache")).toBe(false);
    expect(await setting("TimeZone")).toBe("UTC");
    expect(await setting("autoinstall_known_extensions")).toBe(false);
    expect(await setting("autoload_known_extensions")).toBe(false);
  });

  it("that is given a memory limit that is none says which option", async () => {
    await expect(open({ memoryLimit: "much" })).rejects.toThrow(/^the engine does not start: .*check memoryLimit/);
  });

  it("puts what does not fit the memory into its folder, and takes it away again", async () => {
    const small = await open({ memoryLimit: "64MB" });
    try {
      const sorted = await small.query(
        "SELECT count(*) AS n FROM (SELECT hash(i) AS h, repeat('x', 40) AS t FROM range(2000000) AS given(i) ORDER BY h, t LIMIT 1999999)",
      );
      expect(rowCount(sorted)).toBe(1);
    } finally {
      small.close();
    }
    expect(await readdir(join(folder, "it's spilt")).catch(() => [])).toEqual([]);
  });

  it("runs queries side by side", async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        const column = (await engine.query(`SELECT sum(i) + ${at} AS value FROM range(1000) AS given(i)`)).get("value");
        return column === undefined ? undefined : valueAt(column, 0);
      }),
    );
    expect(answers).toEqual(Array.from({ length: 20 }, (_, at) => 499_500 + at));
  });

  it("ends a query that takes too long, and answers others meanwhile and after", async () => {
    const impatient = await open({ timeoutMs: 150 });
    try {
      const endless = impatient.query(ENDLESS);
      const beside = impatient.query("SELECT 1 AS value");
      await expect(endless).rejects.toThrow(QueryTimeoutError);
      await expect(endless).rejects.toThrow("the query did not end within 150 ms; ask for less, or set timeoutMs");
      expect(rowCount(await beside)).toBe(1);
      expect(rowCount(await impatient.query("SELECT 1 AS value"))).toBe(1);
    } finally {
      impatient.close();
    }
  });

  it("tells a query that fails with the engine's words", async () => {
    await expect(engine.query("SELECT 'x'::INTEGER")).rejects.toThrow(QueryFailedError);
    await expect(engine.userQuery("SELECT 'x'::INTEGER", [])).rejects.toThrow(/Could not convert string 'x'/);
  });

  it("that was closed refuses, and may be closed again", async () => {
    engine.close();
    engine.close();
    await expect(engine.query("SELECT 1")).rejects.toThrow(InvalidInputError);
    await expect(engine.userQuery("SELECT 1", [])).rejects.toThrow("the aggregator is closed; open another");
  });
});

describe("a statement", () => {
  it.each([
    "select 1",
    "  SELECT 1",
    "(SELECT 1)",
    "((select 1) union (select 2))",
    "with a as (select 1) from a",
    "FROM bars",
    "VALUES (1)",
    "-- a\n-- b\nSELECT 1",
    "/* a /* b */ c */ SELECT 1",
    "EXPLAIN SELECT 1",
    "explain analyze select 1",
    "EXPLAIN (ANALYZE, FORMAT json) SELECT 1",
    "EXPLAIN (SELECT 1)",
    "EXPLAIN /* a */ ANALYZE -- b\n SELECT 1",
    "DESCRIBE bars",
    "SHOW TABLES",
  ])("begins as one that reads: %s", (sql) => {
    expect(beginsReading(sql)).toBe(true);
  });

  it.each([
    "",
    "1",
    ";",
    "COPY (SELECT 1) TO 'x'",
    "selected",
    "EXPORT DATABASE 'x'",
    "-- SELECT 1\nCOPY a TO 'b'",
    "/* SELECT */ DROP TABLE a",
    "/* /* */ SELECT */ DROP TABLE a",
    "/* SELECT 1",
    "EXPLAIN COPY a TO 'b'",
    "EXPLAIN ANALYZE COPY a TO 'b'",
    "EXPLAIN (ANALYZE) COPY a TO 'b'",
    "EXPLAIN EXPLAIN ANALYZE COPY a TO 'b'",
    "EXPLAIN /* /* */ SELECT */ COPY a TO 'b'",
  ])("does not: %s", (sql) => {
    expect(beginsReading(sql)).toBe(false);
  });
});
