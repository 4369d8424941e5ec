/** Each type of the engine's as a column: the values that the query says, and nothing rounded, shifted or lost. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Column, type Columns, columnLength, rowCount, valueAt } from "../../aggregator/column.ts";
import { Engine } from "../../aggregator/engine.ts";

/** More rows than three of the engine's vectors hold. */
const MANY = 7_001;

let folder: string;
let engine: Engine;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  engine = await Engine.open({ memoryLimit: "512MB", temporaryFolder: join(folder, "spill"), timeoutMs: 60_000 });
});
afterAll(async () => {
  engine.close();
  await rm(folder, { recursive: true, force: true });
});

async function only(expressions: string): Promise<Column> {
  const columns = await engine.query(`SELECT ${expressions} AS value`);
  return columns.get("value") ?? { kind: "other", values: [] };
}

async function rows(values: string): Promise<Column> {
  const columns = await engine.query(`SELECT value FROM (VALUES ${values}) AS given(place, value) ORDER BY place`);
  return columns.get("value") ?? { kind: "other", values: [] };
}

function valuesOf(column: Column): unknown[] {
  return Array.from({ length: columnLength(column) }, (_, row) => valueAt(column, row));
}

describe("a column of a result", () => {
  it.each<[string, string, Column["kind"], unknown]>([
    ["BOOLEAN", "true", "boolean", true],
    ["TINYINT", "(-128)::TINYINT", "number", -128],
    ["UTINYINT", "255::UTINYINT", "number", 255],
    ["SMALLINT", "(-32768)::SMALLINT", "number", -32_768],
    ["USMALLINT", "65535::USMALLINT", "number", 65_535],
    ["INTEGER", "(-2147483648)::INTEGER", "number", -2_147_483_648],
    ["UINTEGER", "4294967295::UINTEGER", "number", 4_294_967_295],
    ["BIGINT of 53 bits", "9007199254740991", "number", 9_007_199_254_740_991],
    ["negative BIGINT of 53 bits", "-9007199254740991", "number", -9_007_199_254_740_991],
    ["BIGINT beyond", "9007199254740993", "bigint", 9_007_199_254_740_993n],
    ["BIGINT just beyond", "9007199254740992", "bigint", 9_007_199_254_740_992n],
    ["negative BIGINT just beyond", "-9007199254740992", "bigint", -9_007_199_254_740_992n],
    ["the least BIGINT", "(-9223372036854775808)::BIGINT", "bigint", -9_223_372_036_854_775_808n],
    ["UBIGINT", "42::UBIGINT", "number", 42],
    ["UBIGINT beyond 2^53", "9007199254740993::UBIGINT", "bigint", 9_007_199_254_740_993n],
    ["UBIGINT beyond 2^63", "18446744073709551615::UBIGINT", "other", "18446744073709551615"],
    ["HUGEINT", "-42::HUGEINT", "number", -42],
    ["HUGEINT beyond 2^53", "9007199254740993::HUGEINT", "bigint", 9_007_199_254_740_993n],
    ["HUGEINT beyond 2^63", "170141183460469231731687303715884105727", "other", `${2n ** 127n - 1n}`],
    ["UHUGEINT", "42::UHUGEINT", "number", 42],
    ["FLOAT", "1.1::FLOAT", "number", Math.fround(1.1)],
    ["DOUBLE", "0.1::DOUBLE", "number", 0.1],
    ["the least DOUBLE", "5e-324::DOUBLE", "number", 5e-324],
    ["an infinite DOUBLE", "'-infinity'::DOUBLE", "number", Number.NEGATIVE_INFINITY],
    ["DOUBLE that is no number", "'nan'::DOUBLE", "number", Number.NaN],
    ["DECIMAL(3,1)", "44.5::DECIMAL(3,1)", "number", 44.5],
    ["negative DECIMAL(9,4)", "-0.0001::DECIMAL(9,4)", "number", -0.0001],
    ["DECIMAL(18,3)", "44.517::DECIMAL(18,3)", "number", 44.517],
    ["DECIMAL(38,10)", "1234567.0000000001::DECIMAL(38,10)", "other", "1234567.0000000001"],
    ["short DECIMAL(38,10)", "1.5::DECIMAL(38,10)", "number", 1.5],
    ["VARCHAR", "'BHP'", "text", "BHP"],
    ["VARCHAR of 12 bytes", "'abcdefghijkl'", "text", "abcdefghijkl"],
    ["VARCHAR of 13 bytes", "'abcdefghijklm'", "text", "abcdefghijklm"],
    ["VARCHAR of some MB", "repeat('ab', 2000000)", "text", "ab".repeat(2_000_000)],
    ["VARCHAR of other scripts", "'ünïcode 日本 🙂'", "text", "ünïcode 日本 🙂"],
    ["empty VARCHAR", "''", "text", ""],
    ["VARCHAR with a zero", "'a' || chr(0) || 'b'", "text", "a\0b"],
    ["DATE", "DATE '2024-05-31'", "date", "2024-05-31"],
    ["DATE before 1970", "DATE '1969-12-31'", "date", "1969-12-31"],
    ["infinite DATE", "'infinity'::DATE", "other", "infinity"],
    ["DATE before all", "'-infinity'::DATE", "other", "-infinity"],
    ["DATE of a far year", "DATE '290000-01-01'", "other", "290000-01-01"],
    ["TIMESTAMP", "TIMESTAMP '2024-05-31 09:30:00.123'", "instant", new Date("2024-05-31T09:30:00.123Z")],
    ["TIMESTAMP before 1970", "TIMESTAMP '1969-12-31 23:59:59.999'", "instant", new Date(-1)],
    ["TIMESTAMP_S", "'2024-05-31 09:30:00'::TIMESTAMP_S", "instant", new Date("2024-05-31T09:30:00Z")],
    ["TIMESTAMP_MS", "'2024-05-31 09:30:00.123'::TIMESTAMP_MS", "instant", new Date("2024-05-31T09:30:00.123Z")],
    ["TIMESTAMP_NS", "'2024-05-31 09:30:00.123'::TIMESTAMP_NS", "instant", new Date("2024-05-31T09:30:00.123Z")],
    ["TIMESTAMPTZ", "make_timestamptz(1717147800123000)", "instant", new Date("2024-05-31T09:30:00.123Z")],
    ["infinite TIMESTAMP", "'infinity'::TIMESTAMP", "other", "infinity"],
    ["infinite TIMESTAMP_S", "'-infinity'::TIMESTAMP_S", "other", "-infinity"],
    ["infinite TIMESTAMP_MS", "'infinity'::TIMESTAMP_MS", "other", "infinity"],
    ["infinite TIMESTAMP_NS", "'infinity'::TIMESTAMP_NS", "other", "infinity"],
    ["infinite TIMESTAMPTZ", "'-infinity'::TIMESTAMPTZ", "other", "-infinity"],
    ["TIMESTAMP of a far year", "TIMESTAMP '290000-01-01 00:00:00'", "other", "290000-01-01 00:00:00"],
    ["LIST", "['BHP', NULL]", "other", ["BHP", null]],
    ["STRUCT", "{'a': 1, 'b': 'x'}", "other", { a: 1, b: "x" }],
    ["ENUM", "'b'::ENUM('a', 'b')", "other", "b"],
    ["UUID", "'9f3c1b2a-0000-4000-8000-000000000001'::UUID", "other", "9f3c1b2a-0000-4000-8000-000000000001"],
    ["NULL without a type", "NULL", "number", null],
  ])("of %s", async (_, expression, kind, value) => {
    const column = await only(expression);
    expect(valuesOf(column)).toEqual([value]);
    expect(column.kind).toBe(kind);
  });

  it.each<[string, string, Column["kind"]]>([
    ["BOOLEAN", "true", "boolean"],
    ["INTEGER", "7", "number"],
    ["BIGINT", "9007199254740993", "bigint"],
    ["HUGEINT", "9007199254740993::HUGEINT", "bigint"],
    ["HUGEINT that is short", "7::HUGEINT", "number"],
    ["wide DECIMAL", "1234567.0000000001::DECIMAL(38,10)", "other"],
    ["DOUBLE", "1.5::DOUBLE", "number"],
    ["short VARCHAR", "'BHP'", "text"],
    ["long VARCHAR", "'BHP Group Limited'", "text"],
    ["DATE", "DATE '2024-05-31'", "date"],
    ["infinite DATE", "'infinity'::DATE", "other"],
    ["TIMESTAMP", "TIMESTAMP '2024-05-31 09:30:00'", "instant"],
    ["infinite TIMESTAMP", "'infinity'::TIMESTAMP", "other"],
    ["LIST", "[1]", "other"],
  ])("of %s with nulls: null is null, and what stands under it says so", async (_, expression, kind) => {
    const column = await rows(`(1, NULL), (2, ${expression}), (3, NULL)`);
    expect(column.kind).toBe(kind);
    expect(valuesOf(column)).toEqual([null, valueAt(await only(expression), 0), null]);
    if (column.kind === "number" || column.kind === "instant") expect(column.values[0]).toBeNaN();
    else if (column.kind === "text") expect(column.codes[0]).toBe(-1);
    else if (column.kind !== "other") expect(Number(column.values[0])).toBe(0);
    if (column.kind !== "text" && column.kind !== "other") expect(Array.from(column.nulls ?? [])).toEqual([1, 0, 1]);
  });

  it("of several vectors is whole and in order, with the nulls where they are", async () => {
    const columns = await engine.query(`
      SELECT i, CASE WHEN i % 7 = 3 THEN NULL ELSE i / 4 END AS quarter, CASE WHEN i % 5 = 1 THEN NULL ELSE 's' || i % 300 END AS short,
        CASE WHEN i % 3 = 0 THEN NULL ELSE repeat('long text ', 1 + i % 4) || i % 300 END AS long,
        CASE WHEN i % 11 = 0 THEN NULL ELSE DATE '2000-01-01' + i::INTEGER END AS day, i % 2 = 0 AS even
      FROM range(${MANY}) AS given(i) ORDER BY i`);
    expect(rowCount(columns)).toBe(MANY);
    const day = Date.UTC(2000, 0, 1) / 86_400_000;
    const expected = Array.from({ length: MANY }, (_, i) => [
      i,
      i % 7 === 3 ? null : i / 4,
      i % 5 === 1 ? null : `s${i % 300}`,
      i % 3 === 0 ? null : `${"long text ".repeat(1 + (i % 4))}${i % 300}`,
      i % 11 === 0 ? null : new Date((day + i) * 86_400_000).toISOString().slice(0, 10),
      i % 2 === 0,
    ]);
    const names = [...columns.keys()];
    const found = Array.from({ length: MANY }, (_, row) => names.map((name) => at(columns, name, row)));
    expect(found).toEqual(expected);
  });

  it("without a null has no marks", async () => {
    const columns = await engine.query(`SELECT i, i::DOUBLE AS d FROM range(${MANY}) AS given(i)`);
    for (const column of columns.values()) expect(column).not.toHaveProperty("nulls");
  });

  it("keeps each text of many once, long ones and short ones", async () => {
    const columns = await engine.query(`
      SELECT 'company of the name ' || i % 1000 AS long, 'c' || i % 20000 AS short FROM range(100000) AS given(i)`);
    for (const [name, different] of [
      ["long", 1_000],
      ["short", 20_000],
    ] as const) {
      const column = columns.get(name);
      expect(column?.kind).toBe("text");
      if (column?.kind !== "text") continue;
      expect(column.dictionary).toHaveLength(different);
      expect(new Set(column.dictionary).size).toBe(different);
    }
  });

  it("does not follow what is left under a null where a long text was", async () => {
    // Rows that a join or a filter leaves null keep whatever their memory held before.
    for (let round = 0; round < 20; round += 1) {
      const columns = await engine.query(`
        SELECT CASE WHEN random() < 0.5 THEN NULL ELSE repeat('x', 13 + (i % 50)::INTEGER) END AS text, i
        FROM range(20000) AS given(i) ORDER BY hash(i + ${round})`);
      const column = columns.get("text");
      if (column?.kind !== "text") throw new Error("the column is no text");
      expect(column.dictionary.every((text) => /^x{13,62}$/.test(text))).toBe(true);
    }
  });

  it("of no row has its kind", async () => {
    const columns = await engine.query(
      "SELECT 1 AS n, 'x' AS t, DATE '2024-05-31' AS d, now()::TIMESTAMP AS i, true AS b, [1] AS l, 1::HUGEINT AS h WHERE false",
    );
    expect([...columns].map(([name, column]) => [name, column.kind, columnLength(column)])).toEqual([
      ["n", "number", 0],
      ["t", "text", 0],
      ["d", "date", 0],
      ["i", "instant", 0],
      ["b", "boolean", 0],
      ["l", "other", 0],
      ["h", "number", 0],
    ]);
  });

  it("that has the name of another is refused with the name", async () => {
    await expect(engine.query("SELECT 1 AS a, 2 AS a")).rejects.toThrow(/two columns are named "a"/);
  });
});

describe("sums", () => {
  it("of whole numbers are exact: numbers while they fit, else 64-bit integers, else text", async () => {
    expect(valuesOf(await only("(SELECT sum(i) FROM range(1000) AS given(i))"))).toEqual([499_500]);
    const sums = await engine.query("SELECT sum(v) AS s FROM (VALUES (9007199254740991), (2)) AS given(v)");
    expect(at(sums, "s", 0)).toBe(9_007_199_254_740_993n);
    const wide = await engine.query("SELECT sum(v) AS s FROM (VALUES (9223372036854775807), (1)) AS given(v)");
    expect(at(wide, "s", 0)).toBe("9223372036854775808");
  });
});

function at(columns: Columns, name: string, row: number): unknown {
  const column = columns.get(name);
  return column === undefined ? undefined : valueAt(column, row);
}
