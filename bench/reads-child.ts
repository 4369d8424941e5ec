/** One measurement in a process of its own: reads the job from the file given, and prints its result as JSON. */
import { readFileSync } from "node:fs";
import { checksumOf } from "./reads-checksum.ts";
import type { ReadBarsAgain, ReadEngine, ReadJob, ReadResult } from "./reads-job.ts";

/** Readings that are not timed, before those that are. */
const WARM_UPS = 2;

/** Only the engine that is measured is loaded. */
const OPEN: Record<ReadEngine, (job: ReadJob) => Promise<ReadBarsAgain>> = {
  "asx-eod": async (job) => (await import("./reads-aggregator.ts")).openAggregator(job),
  DuckDB: async (job) => (await import("./reads-duckdb.ts")).openDuckDB(job),
  "nodejs-polars": async (job) => (await import("./reads-polars.ts")).openPolars(job),
  hyparquet: async (job) => (await import("./reads-hyparquet.ts")).openHyparquet(job),
};

const job: ReadJob = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"));
const read = await OPEN[job.engine](job);
const bars = await read();
const coldMs = performance.now(); // counted from the start of the process
const peakMemoryMb = (process.resourceUsage().maxRSS * 1024) / 1e6;
const warmMs: number[] = [];
for (let run = job.warmRuns === 0 ? 0 : -WARM_UPS; run < job.warmRuns; run += 1) {
  const startedAt = performance.now();
  await read();
  if (run >= 0) warmMs.push(performance.now() - startedAt);
}
const result: ReadResult = { ...checksumOf(bars, !job.line.grouped), coldMs, peakMemoryMb, warmMs };
process.stdout.write(JSON.stringify(result));
