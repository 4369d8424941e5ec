import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { asx } from "../support/test-terminal.ts";

const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const DAY = "2024-05-31";

/** The command as a process of its own. */
function start(...args: string[]) {
  return spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}

async function inFolder(use: (store: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  try {
    await use(`file:${folder}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe("the asx process", () => {
  it("ends without an error where its reader has seen enough", async () => {
    await inFolder(async (store) => {
      await asx(["run", "--source", "sandbox", "--store", store, "--date", DAY]);
      const show = start(
        "show",
        "--date",
        DAY,
        "--limit",
        "2000",
        "--json",
        "--store",
        store,
        "--cache-dir",
        `${store.slice(5)}/c`,
      );
      let complaints = "";
      show.stderr.on("data", (chunk: Buffer) => {
        complaints += chunk.toString();
      });
      show.stdout.once("data", () => show.stdout.destroy());
      const [code] = await once(show, "close");
      expect({ code, complaints }).toEqual({ code: 0, complaints: "" });
    });
  });

  it.each(["csv", "json"])(
    "ends without an error where the reader of a long query's %s has seen enough",
    async (format) => {
      await inFolder(async (store) => {
        const query = start(
          "query",
          "from range(500000)",
          "--format",
          format,
          "--store",
          store,
          "--cache-dir",
          `${store.slice(5)}/c`,
        );
        let complaints = "";
        query.stderr.on("data", (chunk: Buffer) => {
          complaints += chunk.toString();
        });
        query.stdout.once("data", () => query.stdout.destroy());
        const [code] = await once(query, "close");
        expect({ code, complaints }).toEqual({ code: 0, complaints: "" });
      });
    },
  );

  it("stops printing a long result on Ctrl-C with 130", async () => {
    await inFolder(async (store) => {
      const sql = "from range(10000000)"; // seconds of text
      const query = start("query", sql, "--format", "csv", "--store", store, "--cache-dir", `${store.slice(5)}/c`);
      query.stdout.once("data", () => query.kill("SIGINT"));
      query.stdout.resume();
      const [code] = await once(query, "close");
      expect(code).toBe(130);
    });
  });

  it("gives its result although nobody reads what it logs", async () => {
    await inFolder(async (store) => {
      const run = start("run", "--source", "sandbox", "--symbols", "BHP", "--store", store, "--date", DAY);
      run.stderr.destroy();
      let result = "";
      run.stdout.on("data", (chunk: Buffer) => {
        result += chunk.toString();
      });
      const [code] = await once(run, "close");
      expect({ code, result }).toEqual({ code: 0, result: expect.stringContaining(`ASX ${DAY}: complete`) });
    });
  });

  it("stops a run on Ctrl-C with 130", async () => {
    await inFolder(async (store) => {
      const run = start("run", "--source", "sandbox", "--rate", "1", "--store", store, "--date", DAY);
      run.stderr.once("data", () => run.kill("SIGINT"));
      const [code] = await once(run, "close");
      expect(code).toBe(130);
    });
  });
});
