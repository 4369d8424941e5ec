import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BAR_COLUMNS } from "../domain/bar-columns.ts";
import { SYMBOL_OUTCOMES } from "../domain/batch.ts";
import { RUN_STATUSES } from "../domain/run-summary.ts";
import { asx } from "./support/test-terminal.ts";

const README = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const PACKAGE: { scripts: Record<string, string> } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
);

/** The verbs that the command's help lists. */
const VERBS = [...(await asx(["--help"])).stdout.matchAll(/^ {2}([a-z]+) \[options\]/gm)].map(([, verb = ""]) => verb);

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
    const help = await Promise.all(VERBS.map(async (verb) => (await asx([verb, "--help"])).stdout));
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

  it.each(["run", "execute", "show", "query", "missing", "merge", "compact"])(
    "names every option of asx %s",
    async (verb) => {
      const { stdout } = await asx([verb, "--help"]);
      const options = [...stdout.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, option = ""]) => option);
      expect(options.filter((option) => !README.includes(`\`${option}`))).toEqual([]);
    },
  );

  it("names every command with the exit codes of its help", async () => {
    expect(VERBS).toContain("compact");
    const rows = [...README.matchAll(/^\| `asx ([a-z]+)(?: "SQL")?` \| [^|]+ \| ([^|]+) \|$/gm)];
    expect(rows.map(([, verb]) => verb).sort()).toEqual([...VERBS].sort());
    for (const [, verb = "", codes = ""] of rows) {
      const { stdout } = await asx([verb, "--help"]);
      const [, told = ""] = /Exit codes: (.*)$/s.exec(stdout) ?? [];
      const numbers = (text: string): string[] => text.match(/\b\d+ (?=[a-z])/g)?.map((code) => code.trim()) ?? [];
      expect([verb, numbers(codes)]).toEqual([verb, numbers(told)]);
    }
  });

  it("has queries that run as they are written, on what npm start stores", async () => {
    const folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
    try {
      const store = `file:${folder}`;
      await asx(["run", "--source", "sandbox", "--symbols", "BHP,CBA", "--store", store, "--date", "2024-05-31"]);
      const queries = [...README.matchAll(/^npx asx query "([^"]+)"/gm)].map(([, sql = ""]) =>
        sql.replaceAll("\\$", "$"),
      );
      expect(queries).toHaveLength(4);
      for (const sql of queries) {
        const values = sql.includes("$1") ? ["--param", "BHP"] : [];
        expect(await asx(["query", sql, ...values, "--store", store])).toMatchObject({ stderr: "", exitCode: 0 });
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
