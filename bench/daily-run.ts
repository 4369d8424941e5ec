/**
 * Measures a whole daily run: about 2,000 symbols against a sandbox with no latency and no rate limit.
 * The sandbox is a process of its own; every run is a fresh process with an empty local store, so that
 * processor time and memory are those of the run alone. Prints a table with medians.
 *
 *   node bench/daily-run.ts [RUNS]
 */
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as z from "zod";
import { runDailyWorkflow } from "../cli/daily-workflow.ts";
import { renderTable } from "../cli/table.ts";
import { unlimitedRun } from "./unlimited-run.ts";

const DATE = "2024-05-31";
const CLI = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
const THIS = fileURLToPath(import.meta.url);
const run = promisify(execFile);

const measurement = z.object({
  symbols: z.number(),
  bars: z.number(),
  /** Of the workflow, without starting Node and loading the code. */
  wallMs: z.number(),
  /** User and system time of the process, its start included. */
  cpuMs: z.number(),
  peakMemoryMb: z.number(),
});
type Measurement = z.infer<typeof measurement>;

const [mode, ...rest] = process.argv.slice(2);
if (mode === "one-run") await measureOne(rest[0] ?? "");
else await measureAll(Number(mode ?? 7));

/** One run in this process; prints its measurement as JSON. */
async function measureOne(base: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "asx-eod-bench-"));
  try {
    const startedAt = performance.now();
    const { digest } = await runDailyWorkflow({ date: DATE }, unlimitedRun(base, folder));
    const wallMs = performance.now() - startedAt;
    if (digest?.status !== "complete") throw new Error(`the run ended ${digest?.status ?? "before its summary"}`);
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    const measured: Measurement = {
      symbols: digest.totalSymbols,
      bars: digest.rows,
      wallMs,
      cpuMs: (userCPUTime + systemCPUTime) / 1000,
      peakMemoryMb: (maxRSS * 1024) / 1e6,
    };
    process.stdout.write(JSON.stringify(measured));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureAll(runs: number): Promise<void> {
  const sandbox = spawn(process.execPath, [CLI, "sandbox", "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const base = await announcedAddress(sandbox.stdout);
    const measured: Measurement[] = [];
    for (let index = 0; index < runs; index += 1) {
      const { stdout } = await run(process.execPath, [THIS, "one-run", base]);
      measured.push(measurement.parse(JSON.parse(stdout)));
    }
    process.stdout.write(`${report(measured)}\n`);
  } finally {
    sandbox.kill();
  }
}

async function announcedAddress(output: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: output })) {
    const address = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
    if (address !== undefined) return address;
  }
  throw new Error("the sandbox ended before it named its address");
}

function report(measured: readonly Measurement[]): string {
  const row = (name: string, value: (one: Measurement) => number, digits: number): string[] => {
    const values = measured.map(value).sort((left, right) => left - right);
    const [least = 0, most = 0] = [values[0], values.at(-1)];
    const median = values[Math.floor(values.length / 2)] ?? 0;
    return [name, ...[median, least, most].map((number) => number.toFixed(digits))];
  };
  const processors = cpus();
  const table = renderTable(
    ["measured", "median", "least", "most"].map((heading, index) => ({
      heading,
      align: index === 0 ? "left" : "right",
    })),
    [
      row("symbols", ({ symbols }) => symbols, 0),
      row("bars", ({ bars }) => bars, 0),
      row("wall time, s", ({ wallMs }) => wallMs / 1000, 2),
      row("symbols a second", ({ symbols, wallMs }) => (symbols * 1000) / wallMs, 0),
      row("processor time, s", ({ cpuMs }) => cpuMs / 1000, 2),
      row("peak memory, MB", ({ peakMemoryMb }) => peakMemoryMb, 0),
    ],
  );
  const machine = `${processors.length} x ${processors[0]?.model ?? "unknown processor"}`;
  return `Daily run of ${DATE}, ${measured.length} runs, Node ${process.version}, ${machine}\n\n${table}`;
}
