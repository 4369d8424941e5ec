import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type StoredDays, storeDays } from "../support/stored-days.ts";
import { asx, type CommandOptions } from "../support/test-terminal.ts";

let stored: StoredDays;
let out: string;

beforeAll(async () => {
  stored = await storeDays({ "2024-05-29": "complete", "2024-05-31": "partial" });
  out = join(stored.folder, "out");
  await mkdir(out);
});
afterAll(() => stored.remove());

const query = (args: readonly string[], options: CommandOptions = {}) =>
  asx(["query", "--store", stored.store, ...args], options);

const CLOSES = "select symbol, date, close from bars order by 1, 2";

describe("asx query", () => {
  it("prints a table, so many rows of it, and how many there are", async () => {
    expect(await query([CLOSES, "--limit", "2"])).toEqual({
      stdout: [
        "symbol  date        close",
        "BHP     2024-05-29   10.1",
        "BHP     2024-05-31   10.3",
        "(2 of 3 rows; --limit shows more)",
        "",
      ].join("\n"),
      stderr: "",
      exitCode: 0,
    });
  });

  it("prints CSV and JSON, a row a line", async () => {
    const csv = await query([CLOSES, "--format", "csv"]);
    expect(csv.stdout).toBe("symbol,date,close\nBHP,2024-05-29,10.1\nBHP,2024-05-31,10.3\nCBA,2024-05-29,10.1\n");
    const json = await query([`${CLOSES} limit 2`, "--format", "json"]);
    expect(json.stdout).toBe(
      '[{"symbol":"BHP","date":"2024-05-29","close":10.1},\n{"symbol":"BHP","date":"2024-05-31","close":10.3}]\n',
    );
    expect((await query(["from bars where false", "--format", "json"])).stdout).toBe("[]\n");
  });

  it("prints every row of long results once", async () => {
    const { stdout } = await query(["select range as n from range(5000)", "--format", "json"]);
    const numbers: unknown = JSON.parse(stdout).map(({ n }: { n: number }) => n);
    expect(numbers).toEqual(Array.from({ length: 5000 }, (_, n) => n));
  });

  it("has the tables runs and symbols besides", async () => {
    const runs = await query(["select date, status, unfinished from runs order by 1", "--format", "json"]);
    expect(JSON.parse(runs.stdout)).toEqual([
      { date: "2024-05-29", status: "complete", unfinished: [] },
      { date: "2024-05-31", status: "partial", unfinished: ["CBA"] },
    ]);
    const symbols = await query(["select symbol from symbols order by 1", "--format", "csv"]);
    expect(symbols.stdout).toBe("symbol\nBHP\nCBA\nNAB\n");
  });

  it("names in its help every column that the tables have", async () => {
    const { stdout: help } = await asx(["query", "--help"]);
    const [, text = ""] = /Tables:\n(.*?)\n\n/s.exec(help) ?? [];
    for (const table of ["bars", "runs", "symbols"]) {
      const { stdout } = await query([`select column_name from (describe ${table})`, "--format", "csv"]);
      const columns = stdout.trim().split("\n").slice(1);
      const [, named = ""] = new RegExp(`^  ${table} +(.*?):`, "ms").exec(text) ?? [];
      expect(named.replaceAll(/\s+/g, " ").split(", ")).toEqual(columns);
    }
  });

  it("takes values for parameters as numbers, dates and texts, as they are compared", async () => {
    const sql = "select symbol from bars where close > $1 and date >= $2 and symbol = $3";
    const { stdout } = await query([
      sql,
      ...["--param", "10.2", "--param", "2024-05-30", "--param", "BHP", "--format", "csv"],
    ]);
    expect(stdout).toBe("symbol\nBHP\n");
  });

  it("takes the query from standard input", async () => {
    expect((await query(["-", "--format", "csv"], { stdin: "select 1 as one;\n" })).stdout).toBe("one\n1\n");
  });

  it("prints nothing that a terminal would obey", async () => {
    const { stdout } = await query(["select chr(27) || '[31m' as x, chr(10) as y"]);
    expect(stdout).not.toContain("\u001b");
    expect(stdout.split("\n")).toHaveLength(3);
  });

  it("shows where SQL is wrong, and ends with 64", async () => {
    expect(await query(["selct 1 from bars"])).toEqual({
      stdout: "",
      stderr: expect.stringMatching(/^asx: .*syntax error at or near "selct"\nLINE 1: selct 1 from bars\n {8}\^\n$/),
      exitCode: 64,
    });
  });

  it.each([
    ["select * from bars where date = '2026-13-20'", "out of range"],
    ["select symbol::integer from bars", "Could not convert string 'BHP'"],
  ])("ends with 1 where a query fails while it runs: %s", async (sql, message) => {
    const { stdout, stderr, exitCode } = await query([sql]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr).toContain(message);
  });

  it("ends with 1 where a file is damaged, and names it", async () => {
    const own = await storeDays({ "2024-05-29": "complete" });
    try {
      await writeFile(join(own.folder, "store", "raw-data", "2024-05-29-batch-0.parquet"), "no parquet");
      const { stdout, stderr, exitCode } = await asx(["query", "from bars", "--store", own.store]);
      expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
      expect(stderr).toContain("2024-05-29-batch-0.parquet is not the file");
    } finally {
      await own.remove();
    }
  });

  it("says of a store without bars that it has none, as it may be a wrong one", async () => {
    await mkdir(join(stored.folder, "empty"));
    const empty = `file:${join(stored.folder, "empty")}`;
    const { stdout, stderr } = await asx(["query", "select count(*) as n from bars", "--store", empty]);
    expect(stdout).toBe("n\n0\n");
    expect(stderr).toBe(`asx: ${empty} holds no bars; is it the right store?\n`);
  });

  it.each([
    [[""], "the query is empty"],
    [["select 1; select 2"], "one statement"],
    [["drop table bars"], "only statements that read"],
    [["select $1"], "has 1 parameter, and 0 values were given; --param gives one each"],
    [["select 1", "--param", "x"], "has 0 parameters, and 1 value was given"],
    [["select $1 + 1", "--param", "x"], "Binder Error"],
    [["select sum(symbol) from bars"], "Binder Error"],
    [["select nothing(1)"], "nothing does not exist"],
    [["select price from bars"], "price"],
    [["select 1", "--format", "xml"], "table, csv, json, parquet"],
    [["select 1", "--format", "parquet"], "--out"],
    [["select 1", "--out", "result"], "--format csv, json or parquet"],
    [["select 1", "--out", "x.csv", "--format", "table"], "--format csv, json or parquet"],
    [["select 1", "--out", "x.csv", "--limit", "3"], "LIMIT"],
    [["select 1", "--force"], "--out"],
    [["select 1", "--out", "/no/such/folder/x.csv"], "its folder does not exist"],
    [[], "missing required argument"],
  ])("refuses %j with 64", async (args, message) => {
    const { stdout, stderr, exitCode } = await query(args);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 64 });
    expect(stderr).toContain(message);
  });
});

describe("asx query --out", () => {
  it("writes the form that the file's name says, and prints how much", async () => {
    const csv = join(out, "closes.csv");
    const written = await query([CLOSES, "--out", csv]);
    expect(written.stdout).toBe(`${csv}: 3 rows, ${(await readFile(csv)).length} B\n`);
    expect(await readFile(csv, "utf8")).toBe((await query([CLOSES, "--format", "csv"])).stdout);
    const json = join(out, "closes.txt");
    await query([CLOSES, "--format", "json", "--out", json]);
    expect(JSON.parse(await readFile(json, "utf8"))).toHaveLength(3);
    const parquet = join(out, "closes.parquet");
    expect((await query([CLOSES, "--out", parquet])).stdout).toMatch(/closes.parquet: 3 rows, .* B\n$/);
    const back = await query([`from '${parquet}'`, "--format", "csv"]);
    expect(back.stdout).toBe(await readFile(csv, "utf8"));
  });

  it("keeps a file that is there, unless --force, and where the query fails", async () => {
    const path = join(out, "mine.csv");
    await writeFile(path, "mine");
    expect(await query(["select 1 as a", "--out", path])).toMatchObject({
      exitCode: 64,
      stderr: expect.stringContaining("is there already; --force replaces it"),
    });
    expect((await query(["select error('no') as a", "--out", path, "--force"])).exitCode).toBe(1);
    expect(await readFile(path, "utf8")).toBe("mine");
    expect((await query(["select 1 as a", "--out", path, "--force"])).exitCode).toBe(0);
    expect(await readFile(path, "utf8")).toBe("a\n1\n");
    expect((await readdir(out)).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("leaves nothing behind on Ctrl-C, and ends with 130", async () => {
    const path = join(out, "late.parquet");
    let interrupt = (): void => undefined;
    const interrupted = new Promise<void>((resolve) => {
      interrupt = resolve;
    });
    const quits: number[] = [];
    const long = "select count(*) as n from range(100000) a, range(100000) b where (a.range * b.range) % 7 = 3";
    const ended = query([long, "--out", path], {
      interrupted: () => interrupted,
      onQuit: (code) => quits.push(code),
    });
    while (!(await readdir(out)).some((name) => name.startsWith(".late"))) await new Promise(setImmediate);
    interrupt();
    expect((await ended).stderr).toBe(`asx: interrupted; ${path} was not written\n`);
    expect(quits).toContain(130);
    expect((await readdir(out)).filter((name) => name.includes("late"))).toEqual([]);
  });
});
