/**
 * Measures a backfill of ten years of every listed symbol from a sandbox without latency and without a limit, and the
 * compaction of what it stored. The sandbox is a process of its own, and so is each step: time and memory are the step's.
 *
 *   node bench/backfill.ts [FROM] [TO] [SYMBOLS]
 */
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as z from "zod";
import { Aggregator } from "../aggregator/index.ts";
import { runBackfillWorkflow } from "../cli/backfill-workflow.ts";
import { whole } from "../cli/numbers.ts";
import { renderTable } from "../cli/table.ts";
import { historyPrefix } from "../domain/object-keys.ts";
import { parseDirectory } from "../lambdas/symbol-updater/asx-directory.ts";
import { SANDBOX_PATHS } from "../sandbox/server.ts";
import { createLocalStore } from "../stores/local-store.ts";
import { unlimitedRun } from "./unlimited-run.ts";

const CLI = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
const THIS = fileURLToPath(import.meta.url);
const LARGEST_OUTPUT_BYTES = 10_000_000;
const run = promisify(execFile);

/** One step, measured in its process. */
const step = z.object({
  /** Of the work, without starting Node and loading the code. */
  wallMs: z.number(),
  /** User and system time of the process, its start included. */
  cpuMs: z.number(),
  peakMemoryMb: z.number(),
  symbols: z.number().default(0),
  bars: z.number().default(0),
});
type Step = z.infer<typeof step>;

const [mode, ...rest] = process.argv.slice(2);
if (mode === "fetch") print(await fetchHistory(rest));
else if (mode === "compact") print(await compact(rest[0] ?? ""));
else await measureAll(mode ?? "2016-01-04", rest[0] ?? "2025-12-31", Number(rest[1] ?? 10_000));

/** A backfill in this process: of nothing left, where all is stored. */
async function fetchHistory([base = "", folder = "", from = "", to = "", most = ""]: readonly string[]): Promise<Step> {
  const symbols = await listedSymbols(base);
  const startedAt = performance.now();
  const { digest, error } = await runBackfillWorkflow(
    { backfill: { from, to }, ...(Number(most) < symbols.length && { symbols: symbols.slice(0, Number(most)) }) },
    unlimitedRun(base, folder),
  );
  if (digest?.status !== "complete") throw new Error(`the backfill ended ${digest?.status ?? error?.cause}`);
  return { ...measured(startedAt), symbols: digest.totalSymbols, bars: digest.rows };
}

/** The symbols of the sandbox's directory. */
async function listedSymbols(base: string): Promise<string[]> {
  const directory = await fetch(`${base}${SANDBOX_PATHS.directory}`);
  return parseDirectory(new Uint8Array(await directory.arrayBuffer())).listings.map(({ symbol }) => symbol);
}

async function compact(folder: string): Promise<Step> {
  const startedAt = performance.now();
  const asx = await Aggregator.open(`file:${folder}`);
  try {
    await asx.compact();
    const { rows } = z
      .object({ rows: z.number() })
      .parse((await asx.sql("SELECT count(*) AS rows FROM bars")).toRows()[0]);
    return { ...measured(startedAt), symbols: 0, bars: rows };
  } finally {
    await asx.close();
  }
}

function measured(startedAt: number): Omit<Step, "symbols" | "bars"> {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const wallMs = performance.now() - startedAt;
  return { wallMs, cpuMs: (userCPUTime + systemCPUTime) / 1000, peakMemoryMb: (maxRSS * 1024) / 1e6 };
}

function print(result: Step): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

async function measureAll(from: string, to: string, most: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "asx-eod-bench-"));
  const sandbox = spawn(process.execPath, [CLI, "sandbox", "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const base = await announcedAddress(sandbox.stdout);
    const fetching = await inProcess("fetch", base, folder, from, to, String(most));
    const again = await inProcess("fetch", base, folder, from, to, String(most));
    const files = await createLocalStore(folder).list(historyPrefix);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const compaction = await inProcess("compact", folder);
    const processors = cpus();
    const machine = `${processors.length} x ${processors[0]?.model ?? "unknown processor"}`;
    const table = renderTable(
      ["step", "wall, s", "processor, s", "peak memory, MB"].map((heading, index) => ({
        heading,
        align: index === 0 ? "left" : "right",
      })),
      [row("backfill", fetching), row("the same again", again), row("compaction", compaction)],
    );
    process.stdout.write(
      `Backfill of ${from} to ${to}: ${whole(fetching.symbols)} symbols, ${whole(fetching.bars)} bars, ${whole(files.length)} files of ${(bytes / 1e6).toFixed(1)} MB ` +
        `(${(bytes / fetching.bars).toFixed(1)} bytes a bar), ${whole(compaction.bars)} bars readable after compaction\n` +
        `Node ${process.version}, ${machine}; the sandbox shares the machine\n\n${table}\n`,
    );
  } finally {
    sandbox.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a step in a process of its own. */
async function inProcess(...args: readonly string[]): Promise<Step> {
  const { stdout } = await run(process.execPath, [THIS, ...args], { maxBuffer: LARGEST_OUTPUT_BYTES });
  return step.parse(JSON.parse(stdout));
}

async function announcedAddress(output: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: output })) {
    const address = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
    if (address !== undefined) return address;
  }
  throw new Error("the sandbox ended before it named its address");
}

function row(name: string, { wallMs, cpuMs, peakMemoryMb }: Step): string[] {
  return [name, (wallMs / 1000).toFixed(1), (cpuMs / 1000).toFixed(1), peakMemoryMb.toFixed(0)];
}
