/** `sql()`: it reads and does nothing else, its messages say what is there, and no value or folder name is taken for SQL. */
import { access, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InvalidInputError, QueryFailedError, QueryTimeoutError } from "../../aggregator/index.ts";
import { type BarStore, barOf, closesOf, DAY, openBarStore } from "../support/bar-store.ts";
import { hostileText } from "../support/hostile.ts";

let stored: BarStore;
async function refill(): Promise<void> {
  await stored.putSummary([await stored.putBars([barOf("BHP"), barOf("CBA", { close: 119.4 })])], ["BHP", "CBA"]);
}
beforeEach(async () => {
  stored = await openBarStore();
  await refill();
});
afterEach(async () => {
  await stored.close();
});

async function rowsOf(query: string, parameters: readonly (string | number | bigint | boolean | null)[] = []) {
  return (await stored.aggregator.sql(query, parameters)).toRows();
}

describe("a query", () => {
  it.each([
    ["COPY", "COPY bars TO 'F'"],
    ["logging to a file", "FROM enable_logging(storage = 'file', storage_path = 'F')"],
    [
      "logging to a file, in a text that is run",
      "FROM query('FROM enable_logging(storage = ''file'', storage_path = ''F'')')",
    ],
    ["a text that is put together and run", "FROM query /* */ ('FROM enable_' || 'logging()')"],
    ["profiling", "SELECT * FROM enable_profiling(save_location = 'F')"],
    ["CHECKPOINT as a function", "SELECT * FROM checkpoint()"],
    ["DROP", "DROP TABLE runs"],
    ["CREATE TABLE", "CREATE TABLE mine AS SELECT 1"],
    ["CREATE MACRO", "CREATE MACRO m() AS 1"],
    ["INSERT", "INSERT INTO runs SELECT * FROM runs"],
    ["UPDATE", "UPDATE runs SET rows = 0"],
    ["DELETE", "DELETE FROM runs"],
    ["ALTER", "ALTER TABLE runs DROP COLUMN rows"],
    ["ATTACH", "ATTACH 'F' AS other"],
    ["INSTALL", "INSTALL httpfs"],
    ["LOAD", "LOAD httpfs"],
    ["SET", "SET memory_limit = '1TB'"],
    ["PRAGMA", "PRAGMA memory_limit = '1TB'"],
    ["USE", "USE memory"],
    ["CALL", "CALL pragma_version()"],
    ["VACUUM", "VACUUM"],
    ["BEGIN", "BEGIN TRANSACTION"],
    ["PREPARE", "PREPARE p AS SELECT 1"],
    ["EXPORT", "EXPORT DATABASE 'F'"],
    ["EXPLAIN ANALYZE COPY", "EXPLAIN ANALYZE COPY (SELECT 1) TO 'F'"],
    ["EXPLAIN (ANALYZE) COPY", "explain (analyze, format json) COPY (SELECT 1) TO 'F'"],
    ["EXPLAIN with comments", "/* a */ EXPLAIN -- b\n ANALYZE /* c */ COPY (SELECT 1) TO 'F'"],
    ["EXPLAIN EXPORT", "EXPLAIN EXPORT DATABASE 'F'"],
    ["EXPORT behind a nested comment", "/* /* */ SELECT */ EXPORT DATABASE 'F'"],
    ["COPY behind a nested comment", "EXPLAIN /* /* */ SELECT */ ANALYZE COPY (SELECT 1) TO 'F'"],
    ["EXPLAIN DROP", "EXPLAIN ANALYZE DROP TABLE runs"],
  ])("that is %s is refused, and does nothing", async (_, query) => {
    const file = join(stored.folder, "written");
    await rowsOf("SELECT * FROM runs");
    await expect(stored.aggregator.sql(query.replace("F", file))).rejects.toThrow(InvalidInputError);
    await expect(access(file)).rejects.toThrow("ENOENT");
    expect(await rowsOf("SELECT rows FROM runs")).toEqual([{ rows: 2 }]);
  });

  it.each(["SELECT 1; SELECT 2", "SELECT 1; DROP TABLE runs", "SELECT * FROM runs; DROP VIEW bars; --"])(
    "of two statements is refused: %s",
    async (query) => {
      await expect(stored.aggregator.sql(query)).rejects.toThrow(/^give one statement; there are [23]/);
      expect(await rowsOf("SELECT count(*) AS n FROM bars")).toEqual([{ n: 2 }]);
    },
  );

  it.each([
    "WITH days AS (SELECT DISTINCT date FROM bars) SELECT * FROM days",
    "FROM bars",
    "VALUES (1)",
    "TABLE bars",
    "DESCRIBE bars",
    "SUMMARIZE bars",
    "SHOW TABLES",
    "EXPLAIN SELECT * FROM bars",
    "EXPLAIN ANALYZE SELECT * FROM bars",
    "-- why\nSELECT 1; -- not",
    "/* a /* b */ c */ (SELECT 1)",
    "EXPLAIN (SELECT 1)",
    "EXPLAIN (FORMAT json) SELECT 1",
    "PIVOT bars ON symbol IN ('BHP', 'CBA') USING sum(close) GROUP BY date",
  ])("that reads is answered: %s", async (query) => {
    expect((await rowsOf(query)).length).toBeGreaterThan(0);
  });

  it.each(["", " ", ";", "-- nothing"])("of nothing (%j) is refused", async (query) => {
    await expect(stored.aggregator.sql(query)).rejects.toThrow(InvalidInputError);
  });

  it("that does not parse is refused with the place", async () => {
    await expect(stored.aggregator.sql("SELEC symbol FROM bars")).rejects.toThrow(
      /^the query does not parse: .*syntax error at or near "SELEC"/,
    );
  });

  it("that names no table of ours is told which there are", async () => {
    await expect(stored.aggregator.sql("SELECT * FROM bar")).rejects.toThrow(
      /Table with name bar does not exist.*The tables are bars, runs, symbols, calendar, actions, not_adjusted, listings and listing_changes; adjusted_bars\(kind\), /,
    );
  });

  it("that names no column of ours is told which there are", async () => {
    await expect(stored.aggregator.sql("SELECT closing FROM bars")).rejects.toThrow(
      /"closing" not found.*bars has symbol, date, open, high, low, close, adjusted_close, volume,.*runs date, status,.*symbols symbol, name/s,
    );
  });

  it("that fails by itself is not told as a damaged file", async () => {
    await expect(stored.aggregator.sql("SELECT CAST(symbol AS INTEGER) FROM bars")).rejects.toThrow(QueryFailedError);
    await expect(stored.aggregator.sql("SELECT error('no') FROM bars")).rejects.toThrow(/no/);
  });

  it("that takes for ever is ended, and the next is answered", async () => {
    const impatient = await openBarStore({ timeoutMs: 200 });
    try {
      await impatient.putSummary([await impatient.putBars([barOf("BHP")])], ["BHP"]);
      await expect(
        impatient.aggregator.sql(
          "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = -1",
        ),
      ).rejects.toThrow(QueryTimeoutError);
      await expect(
        impatient.aggregator.sql(
          "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r) SELECT count(*) FROM r",
        ),
      ).rejects.toThrow(/did not end within 200 ms; ask for less, or set timeoutMs/);
      expect((await impatient.aggregator.sql("SELECT symbol FROM bars")).toRows()).toEqual([{ symbol: "BHP" }]);
    } finally {
      await impatient.close();
    }
  });

  it("after the aggregator was closed is refused", async () => {
    const other = await openBarStore();
    await other.close();
    await expect(other.aggregator.sql("SELECT 1")).rejects.toThrow(/closed; open another/);
  });

  it("at once with others, while the store changes, sees one state each", async () => {
    const seen = new Set<string>();
    const ask = async (): Promise<void> => {
      const rows = await rowsOf("SELECT r.rows, count(*) AS n FROM bars b JOIN runs r USING (date) GROUP BY ALL");
      seen.add(JSON.stringify(rows));
    };
    for (const count of [1, 2, 1, 3]) {
      const symbols = ["BHP", "CBA", "WOW"].slice(0, count);
      const asked = [ask(), ask()];
      // Another batch number each time: files of a state are not written over.
      const file = await stored.putBars(
        symbols.map((symbol) => barOf(symbol)),
        10 * seen.size + count,
      );
      await stored.putSummary([file], symbols);
      await Promise.all([...asked, ask(), ask()]);
    }
    for (const rows of seen) expect(rows).toMatch(/^\[\{"rows":(\d),"n":\1\}\]$/);
  });
});

describe("parameters", () => {
  it("are values, whatever they are", async () => {
    const hostile = ["'; DROP VIEW bars; --", '"', "'", "$1", "?", "\\", "%", "BHP' OR '1'='1", "日本\0"];
    for (const text of hostile) {
      expect(await rowsOf("SELECT $1 AS given, count(*) AS n FROM bars WHERE symbol = $1", [text])).toEqual([
        { given: text, n: 0 },
      ]);
    }
    await fc.assert(
      fc.asyncProperty(
        hostileText.filter((text) => text.isWellFormed()),
        async (text) => {
          expect(await rowsOf("SELECT $1::VARCHAR AS given", [text])).toEqual([{ given: text }]);
          expect(await rowsOf("SELECT symbol FROM bars WHERE symbol = $1", [text])).toEqual(
            text === "BHP" ? [{ symbol: "BHP" }] : [],
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  it("have their types", async () => {
    const query = "SELECT $1 AS number, $2 AS fraction, $3 AS long, $4 AS flag, $5 AS nothing, $6 AS text";
    expect(await rowsOf(query, [7, 1.5, 2n ** 60n, true, null, "x"])).toEqual([
      { number: 7, fraction: 1.5, long: 2n ** 60n, flag: true, nothing: null, text: "x" },
    ]);
    expect(await rowsOf("SELECT $1 AS wide", [2n ** 80n])).toEqual([{ wide: `${2n ** 80n}` }]);
  });

  it("compare with dates, prices and counts", async () => {
    expect(
      await rowsOf("SELECT symbol FROM bars WHERE date >= $1 AND close > $2 AND volume = $3", [DAY, 100, 18_577_219]),
    ).toEqual([{ symbol: "CBA" }]);
    expect(await rowsOf("SELECT symbol FROM bars WHERE date > $1", [DAY])).toEqual([]);
  });

  it.each([
    ["SELECT $1", [], "the query has 1 parameters, and 0 values were given"],
    ["SELECT 1", ["x"], "the query has 0 parameters, and 1 values were given"],
    ["SELECT $1, $2", ["x"], "the query has 2 parameters, and 1 values were given"],
  ])("that do not fit %s %j are refused", async (query, parameters, message) => {
    await expect(stored.aggregator.sql(query, parameters)).rejects.toThrow(message);
  });

  it("of a type that is none are refused with their place", async () => {
    const untyped: string[] = JSON.parse('["x", ["y"]]');
    await expect(stored.aggregator.sql("SELECT $1, $2", untyped)).rejects.toThrow(
      "parameter $2 is a list; give text, a number, a boolean or null, and a date as YYYY-MM-DD",
    );
  });
});

describe("symbols asked for", () => {
  it.each(["'; DROP VIEW bars; --", "BHP'", '"BHP"', "", "B*", "BHP OR 1=1", "../x"])(
    "as %j are refused",
    async (symbol) => {
      await expect(stored.aggregator.loadSymbols([symbol])).rejects.toThrow(InvalidInputError);
      expect(await closesOf(stored.aggregator)).toEqual([
        ["BHP", 44.51],
        ["CBA", 119.4],
      ]);
    },
  );

  it("none are refused: all of them are meant, or a list came out empty", async () => {
    await expect(stored.aggregator.loadSymbols([])).rejects.toThrow("name a symbol, or leave symbols out for all");
  });

  it("without a bar are named", async () => {
    expect((await stored.aggregator.loadSymbols(["BHP", "NOPE"])).coverage.withoutBars).toEqual(["NOPE"]);
  });
});

describe("a store in a folder named", () => {
  it.each([
    "o'clock",
    'double "quotes"',
    "a b",
    "a[b]c",
    "[!a]",
    "st*r",
    "**",
    "qu?stion",
    "{a,b}",
    "symbol=ZZZ",
    "date=2020-01-01",
    "close=1",
    "back\\slash",
    "100%25",
    "#hash",
    "~",
    "$HOME",
    "日本 ünï 🙂",
    "a;b--c",
  ])("%s is read, and no other", async (name) => {
    const odd = await openBarStore({}, name);
    try {
      await odd.putSummary([await odd.putBars([barOf("BHP", { close: 1.5, open: 1.5 })])], ["BHP"]);
      await odd.putBars([barOf("CBA", { close: 2.5, date: "2024-05-30" })], 0, "2024-05-30");
      expect(await closesOf(odd.aggregator)).toEqual([["BHP", 1.5]]);
      expect(await closesOf(odd.aggregator, "2024-05-30")).toEqual([["CBA", 2.5]]);
      expect((await odd.aggregator.loadAll()).symbols).toEqual(["BHP", "CBA"]);
    } finally {
      await odd.close();
    }
  });

  it("as a pattern that another folder fits is read, and not the other", async () => {
    const pattern = await openBarStore({}, "a[bc]d");
    try {
      await pattern.putBars([barOf("BHP", { close: 1.5 })]);
      const beside = join(pattern.folder, "..", "abd", "raw-data");
      await mkdir(beside, { recursive: true });
      await writeFile(join(beside, `${DAY}-batch-0.parquet`), await stored.bytesOf(`raw-data/${DAY}-batch-0.parquet`));
      expect(await closesOf(pattern.aggregator)).toEqual([["BHP", 1.5]]);
    } finally {
      await pattern.close();
    }
  });

  it("with a backslash and a sign of patterns is refused with what to do", async () => {
    const odd = await openBarStore({}, "a\\b*c");
    try {
      await odd.putBars([barOf("BHP")]);
      await expect(odd.aggregator.loadDate(DAY)).rejects.toThrow(/not both; rename the folder/);
    } finally {
      await odd.close();
    }
  });
});
