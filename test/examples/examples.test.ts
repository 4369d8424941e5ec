import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { daysBetween } from "../../domain/trading-date.ts";
import { STATUS_COLOURS } from "../../examples/charts/coverage-calendar.ts";
import { moduleOf, parseNotebook } from "../support/notebook-cells.ts";
import { marksOf, type SvgElement, svgElements } from "../support/svg-marks.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DAYS = 45; // from one year into the next
const LAST_DATE = "2024-01-31";
const LEFT_OUT = "2023-12-28";
const PARTIAL = "2024-01-17";
const NAMES = ["candlestick", "equal-weight-index", "coverage-calendar"];

let folder: string;
let store: string;
let said: string;
/** The pictures that the script drew, by name. */
const svgs = new Map<string, string>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  store = `file:${join(folder, "store")}`;
  said = await node(["examples/sample-store.ts", store, String(DAYS), LAST_DATE]);
  await draw("charts");
  for (const name of NAMES) svgs.set(name, await readFile(join(folder, "charts", `${name}.svg`), "utf8"));
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function node(args: readonly string[], { cwd = ROOT, env = {} } = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=asx-eod-source", ...args], {
    cwd,
    env: { ...process.env, XDG_CACHE_HOME: join(folder, "cache"), ...env },
  });
  return stdout;
}

function draw(into: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  return node(["examples/charts.ts", store, join(folder, into)], { env });
}

/** What the files hold, asked without the library. */
async function stored(sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create();
  try {
    const connection = await instance.connect();
    const reader = await connection.runAndReadAll(sql.replace("BARS", `'${join(folder, "store/raw-data/*.parquet")}'`));
    return reader.getRowsJson();
  } finally {
    instance.closeSync();
  }
}

function elementsOf(name: string): SvgElement[] {
  return svgElements(svgs.get(name) ?? "");
}

function textsOf(name: string): string[] {
  return elementsOf(name)
    .map(({ text }) => text.trim())
    .filter((text) => text !== "");
}

describe("the sample store", () => {
  it("has the days that were asked for, but one, and says so", async () => {
    expect(said).toBe(
      `${store}: stored 44 of 45 days up to ${LAST_DATE}; ${LEFT_OUT} is left out; ${PARTIAL} lacks TLS\n`,
    );
    const [[days, first, last] = []] = await stored("SELECT count(DISTINCT date), min(date), max(date) FROM BARS");
    expect([Number(days), first, last]).toEqual([44, "2023-11-24", LAST_DATE]);
  });

  it("keeps the days that it has", async () => {
    expect(await node(["examples/sample-store.ts", store, "12", LAST_DATE])).toContain("stored 0 of 12 days");
  });
});

describe("the script", () => {
  it("draws a candle and a volume for every bar", async () => {
    const rows = await stored(`
      SELECT open < close OR (open = close AND coalesce(lag(close) OVER (ORDER BY date) <= close, true))
      FROM BARS WHERE symbol = 'BHP' ORDER BY date`);
    const [candles, volumes] = [0, 1].map((series) => marksOf(elementsOf("candlestick"), series));
    expect(rows.length).toBe(44);
    expect(volumes?.length).toBe(44);
    expect(candles?.map(({ attributes }) => attributes["fill"])).toEqual(
      rows.map(([isUp]) => (isUp === true ? "#26a69a" : "#ef5350")),
    );
    expect(textsOf("candlestick")).toEqual(
      expect.arrayContaining([`BHP, daily bars, 2023-11-24 to ${LAST_DATE}`, "AUD", "shares", "2023-11-24"]),
    );
  });

  it("leaves the place of a trading day without a bar empty, and counts it", async () => {
    const dates = [...(await stored("SELECT DISTINCT date FROM BARS")).map(([date]) => String(date)), LEFT_OUT].sort();
    for (const series of [0, 1]) {
      const places = marksOf(elementsOf("candlestick"), series).map(
        ({ attributes }) => attributes["ecmeta_data_index"],
      );
      const days = dates.flatMap((date, place) => (date === LEFT_OUT ? [] : [String(place)]));
      expect(places).toEqual(days);
    }
    expect(textsOf("candlestick")).toContain("Prices as traded, not adjusted for dividends; 1 trading day has no bar");
  });

  it("ends the index where an independent computation ends", async () => {
    const [[level] = []] = await stored(`
      WITH returns AS (
        SELECT date, adjusted_close / lag(adjusted_close) OVER (PARTITION BY symbol ORDER BY date) AS growth FROM BARS),
      days AS (SELECT date, avg(growth) AS growth FROM returns WHERE growth IS NOT NULL GROUP BY date)
      SELECT 100 * product(growth) FROM days`);
    expect(Number(level)).not.toBeCloseTo(100, 1);
    expect(textsOf("equal-weight-index")).toEqual(
      expect.arrayContaining([
        `Equal-weight index, 2023-11-24 to ${LAST_DATE}`,
        `Mean daily return with dividends, first day = 100, last day = ${Number(level).toFixed(2)}`,
      ]),
    );
    const lines = elementsOf("equal-weight-index").filter(({ attributes }) => attributes["stroke"] === "#1f5fa8");
    expect(lines.map(({ attributes }) => attributes["d"]?.match(/[MLl]/g)?.length)).toEqual([44]);
  });

  it("colours every trading day of the calendar by how it stands, in the row of its day of the week", async () => {
    const dates = [...(await stored("SELECT DISTINCT date FROM BARS")).map(([date]) => String(date)), LEFT_OUT].sort();
    const years = ["2023", "2024"].map((year) => dates.filter((date) => date.startsWith(year)));
    for (const [series, days] of years.entries()) {
      const marks = marksOf(elementsOf("coverage-calendar"), series);
      expect(marks.map(({ attributes }) => attributes["fill"])).toEqual(days.map(colourOf));
      const [first = "", ...others] = days;
      const at = marks.map(({ attributes }) => /^M([\d.]+) ([\d.]+)/.exec(attributes["d"] ?? "") ?? []);
      const [, x = "", y = ""] = at[0] ?? [];
      expect(others.map((_, index) => at[index + 1]?.slice(1).map(Number))).toEqual(
        others.map((date) => {
          const weeks = Math.floor((daysBetween(first, date) + weekday(first)) / 7);
          return [Number(x) + 16 * weeks, Number(y) + 16 * (weekday(date) - weekday(first))];
        }),
      );
    }
    expect(textsOf("coverage-calendar")).toEqual(
      expect.arrayContaining(["2023", "2024", "complete (43)", "partial (1)", "missing (1)", "failed (0)"]),
    );
  });

  it.each(["Australia/Sydney", "America/Santiago"])(
    "draws in %s what it draws in the zone of the tests",
    async (zone) => {
      const into = `charts ${zone.replace("/", " ")}`;
      await draw(into, { TZ: zone });
      for (const name of NAMES) {
        const drawn = svgElements(await readFile(join(folder, into, `${name}.svg`), "utf8"));
        // ECharts leaves out the blank cell of a year's last day where the clock changes at midnight; no day of ours is there.
        expect(drawn.filter(isOurs)).toEqual(elementsOf(name).filter(isOurs));
      }
    },
  );

  it("draws nothing of a symbol that has no bar, and names it", async () => {
    const into = join(folder, "charts of nothing");
    const drawn = node(["examples/charts.ts", store, into, "XYZ"]);
    await expect(drawn).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("holds no bar of XYZ") });
    await expect(access(into)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("says what to do where the store is empty", async () => {
    await mkdir(join(folder, "none"));
    const empty = node(["examples/charts.ts", `file:${join(folder, "none")}`, join(folder, "charts")]);
    await expect(empty).rejects.toThrow("holds no bars; in a clone of asx-eod: npm run sample");
  });
});

/** Whether an element is a mark of a series or has a text. */
function isOurs({ attributes, name, text }: SvgElement): boolean {
  return attributes["ecmeta_series_index"] !== undefined || (name === "text" && text !== "");
}

function colourOf(date: string): string {
  return STATUS_COLOURS[date === LEFT_OUT ? "missing" : date === PARTIAL ? "partial" : "complete"];
}

/** 0 is Monday. */
function weekday(date: string): number {
  return (new Date(date).getUTCDay() + 6) % 7;
}

const shownForm = z.array(
  z.object({ id: z.string(), bundle: z.record(z.string(), z.string()).optional(), value: z.unknown().optional() }),
);

/** In place of the kernel: what it would show, printed at the end. */
const SHOW = `
const shown_: object[] = [];
function show_(id: string, value: object): void {
  const display: unknown = Reflect.get(value, Symbol.for("Jupyter.display"));
  shown_.push(typeof display === "function" ? { id, bundle: display.call(value) } : { id, value });
}
`;
const PRINT = "process.stdout.write(JSON.stringify(shown_));";

describe("the notebook", () => {
  it("is stored for Deno's kernel and without outputs", async () => {
    const { cells, metadata } = parseNotebook(await readFile(join(ROOT, "examples/notebook.ipynb"), "utf8"));
    expect(metadata.kernelspec).toEqual({ name: "deno", language: "typescript", display_name: "Deno" });
    const kept = cells.filter((cell) => cell.cell_type === "code" && (cell.outputs.length > 0 || cell.execution_count));
    expect(kept).toEqual([]);
  });

  it("has cells that compile and run in their order, and shows what the script draws", async () => {
    const text = await readFile(join(ROOT, "examples/notebook.ipynb"), "utf8");
    const project = await userProject(
      moduleOf(parseNotebook(text), "show_").replace('"file:../sandbox-data"', JSON.stringify(store)),
    );
    await promisify(execFile)(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", project]);
    const shown = shownForm.parse(JSON.parse(await node(["cells.ts"], { cwd: project })));

    const tables = ["load", "query", "coverage"];
    const pictures = ["candles", "index", "calendar"];
    expect(shown.map(({ id }) => id)).toEqual(["load", "query", "candles", "index", "calendar", "coverage", "missing"]);
    for (const { id, bundle } of shown.filter(({ id }) => tables.includes(id)))
      expect([id, bundle?.["text/html"]]).toEqual([id, expect.stringContaining("<table>")]);
    expect(shown.filter(({ id }) => pictures.includes(id)).map(({ bundle }) => bundle?.["image/svg+xml"])).toEqual(
      NAMES.map((name) => svgs.get(name)),
    );
    expect(shown.at(-1)?.value).toMatchObject({
      days: [LEFT_OUT],
      failed: [],
      partial: [{ date: PARTIAL, symbols: ["TLS"] }],
    });
  });
});

/** A project with the cells in one module, in which the package stands as if it was installed. */
async function userProject(code: string): Promise<string> {
  const project = join(folder, "user");
  await mkdir(join(project, "node_modules"), { recursive: true });
  await symlink(ROOT, join(project, "node_modules/asx-eod"));
  for (const name of ["@types", "echarts", "zrender"])
    await symlink(join(ROOT, "node_modules", name), join(project, "node_modules", name));
  await symlink(join(ROOT, "examples/charts"), join(project, "charts"));
  await writeFile(join(project, "package.json"), JSON.stringify({ type: "module" }));
  await writeFile(
    join(project, "tsconfig.json"),
    JSON.stringify({ extends: join(ROOT, "tsconfig.json"), include: ["cells.ts"] }),
  );
  await writeFile(join(project, "cells.ts"), [SHOW, code, PRINT].join("\n"));
  return project;
}
