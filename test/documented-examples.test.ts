import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { asx } from "./support/test-terminal.ts";

const PROJECT = new URL("..", import.meta.url);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  for (const date of ["2024-05-30", "2024-05-31"]) {
    const run = ["run", "--source", "sandbox", "--symbols", "BHP,CBA", "--store", `file:${folder}/store`];
    await asx([...run, "--date", date]);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The page's TypeScript, one block after the other as in a notebook, on a store of BHP and CBA on two dates. */
function codeOf(page: string): string {
  const text = readFileSync(new URL(page, PROJECT), "utf8");
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ""]) => code);
  return blocks.join("\n").replace("file:./sandbox-data", `file:${folder}/store`);
}

async function run(code: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=asx-eod-source", "--input-type=module-typescript", "--eval", code],
    { cwd: PROJECT, env: { ...process.env, XDG_CACHE_HOME: join(folder, "cache") } },
  );
  return stdout;
}

it("the README's notebook example runs as it is written", async () => {
  const printed = await run(codeOf("README.md"));
  expect(printed).toMatch(/^symbol +date +open/);
  expect(printed).toContain("2024-05-30 to 2024-05-31: 2 trading days, all complete");
  expect(printed).toMatch(/^4 \d+$/m);
  expect(printed).toMatch(/symbol: 'CBA', mean: \d/);
});

it("the notebook page's examples run one after the other as they are written", async () => {
  const printed = await run(codeOf("docs/notebook.md"));
  expect(printed).toMatch(/^2 4 2 4$/m);
  expect(printed).toContain("2024-05-01 to 2024-05-31: 23 trading days, 2 complete, 21 missing");
  expect(printed).toMatch(/curated\/bars-2024-05-31-[0-9a-f]{16}\.parquet 2 1/);
  expect(printed).toMatch(/curated\/bars-2024-[0-9a-f]{16}\.parquet/);
});

it("the page of adjusted prices runs as it is written", async () => {
  const printed = await run(codeOf("docs/adjusted-prices.md"));
  expect(printed.match(/symbol: 'BHP'/g)?.length).toBeGreaterThanOrEqual(2);
  expect(printed).toMatch(/close: \d/);
});
