import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { BAR_COLUMNS } from "../domain/bar-columns.ts";
import { SYMBOL_OUTCOMES } from "../domain/batch.ts";
import { RUN_STATUSES } from "../domain/run-summary.ts";
import { asx } from "./support/test-terminal.ts";

const README = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const PACKAGE: { scripts: Record<string, string> } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
);

/** The code blocks of a language. */
function blocks(language: string): string[] {
  return [...README.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, name, code]) =>
    name === language && code !== undefined ? code : [],
  );
}

describe("the README", () => {
  it("names every column with its type, in order", () => {
    const named = [...README.matchAll(/^\| ([a-z_, ]+) \| (UTF8|DATE|DOUBLE|INT64|INT32|TIMESTAMP)[^|]*\|/gm)];
    const columns = named.flatMap(([, names = "", type = ""]) => names.split(", ").map((name) => `${name} ${type}`));
    expect(columns).toEqual(BAR_COLUMNS.map(({ name, type }) => `${name} ${type.replace("_MILLIS", "")}`));
  });

  it("names every outcome and every status", () => {
    for (const word of [...Object.values(SYMBOL_OUTCOMES), ...Object.values(RUN_STATUSES)])
      expect(README).toContain(`| \`${word}\` |`);
  });

  it("names only commands, options and scripts that exist", async () => {
    const help = await Promise.all(
      ["run", "execute", "status", "show", "sandbox"].map(async (verb) => (await asx([verb, "--help"])).stdout),
    );
    const options = new Set(help.join("\n").match(/--[a-z-]+/g));
    const named = new Set(
      [...README.matchAll(/`(--[a-z-]+)|npx asx [^`\n]*?(--[a-z-]+)/g)].flatMap(
        ([, first, second]) => first ?? second ?? [],
      ),
    );
    expect([...named].filter((option) => !options.has(option))).toEqual([]);
    const scripts = [...README.matchAll(/npm run ([a-z]+)/g)].map(([, name = ""]) => name);
    expect(scripts.filter((name) => PACKAGE.scripts[name] === undefined)).toEqual([]);
  });

  it.each(["run", "execute"])("names every option of asx %s", async (verb) => {
    const { stdout } = await asx([verb, "--help"]);
    const options = [...stdout.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, option = ""]) => option);
    expect(options.filter((option) => !README.includes(`\`${option}`))).toEqual([]);
  });

  it("has a notebook example that runs as it is written, on what npm start stores", async () => {
    const folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
    try {
      const store = `file:${folder}`;
      await asx(["run", "--source", "sandbox", "--symbols", "BHP,CBA", "--store", store, "--date", "2024-05-31"]);
      const [example = ""] = blocks("ts");
      expect(example).toContain('import { Aggregator } from "asx-eod"');
      const { bar } = await runExample(example, store, "2024-05-31");
      expect(bar).toMatchObject({ symbol: "BHP", date: "2024-05-31" });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** Runs the example in a module of its own, with the store and date of a test in place of its own, and gives what it logs. */
async function runExample(example: string, store: string, date: string): Promise<{ bar: unknown }> {
  const code = example
    .replace(/"file:[^"]*"/, JSON.stringify(store))
    .replace(/"\d{4}-\d{2}-\d{2}"/, JSON.stringify(date))
    .replace("console.log(", "process.stdout.write(JSON.stringify(")
    .replace(/\);\n(asx\.close)/, "));\n$1");
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=asx-eod-source", "--input-type=module-typescript", "--eval", code],
    {
      cwd: new URL("..", import.meta.url),
    },
  );
  return { bar: JSON.parse(stdout) };
}
