/**
 * Measures how fast a store's bars become columns in JavaScript: through this project's API, DuckDB's SQL directly,
 * nodejs-polars and hyparquet, from the small files of the daily runs and from compacted ones. Every measurement is a
 * process of its own; before any is timed, all engines must have read the same. Prints a report in Markdown.
 *
 *   node bench/notebook-reads.ts STORE_FOLDER [--runs 5] [--line "one day"]... [--engines DuckDB,hyparquet]
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import * as z from "zod";
import { InvalidInputError } from "../domain/errors.ts";
import { isSameRead } from "./reads-checksum.ts";
import { compactedFiles, findStoredFiles, linesOf, type StoredFiles } from "./reads-files.ts";
import { READ_ENGINES, type ReadEngine, type ReadJob, type ReadLine, type ReadResult } from "./reads-job.ts";
import { installPolars, usableEngines } from "./reads-packages.ts";
import { type Measured, median, renderReads } from "./reads-report.ts";

const CHILD = fileURLToPath(new URL("./reads-child.ts", import.meta.url));
const run = promisify(execFile);

const readResult = z.object({
  rows: z.number(),
  hash: z.number(),
  sumOfCloses: z.number(),
  coldMs: z.number(),
  peakMemoryMb: z.number(),
  warmMs: z.array(z.number()),
});

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "5" },
    line: { type: "string", multiple: true },
    engines: { type: "string", default: READ_ENGINES.join(",") },
  },
});
const [store] = positionals;
if (store === undefined) throw new InvalidInputError("usage: node bench/notebook-reads.ts STORE_FOLDER [--runs 5]");

const folder = await mkdtemp(join(tmpdir(), "asx-eod-bench-"));
try {
  await measureAll(store, Number(values.runs));
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function measureAll(storeFolder: string, runs: number): Promise<void> {
  const small = await findStoredFiles(storeFolder);
  const packages = values.engines.includes("nodejs-polars") ? await installPolars(say) : null;
  const engines = usableEngines(values.engines.split(","), packages !== null);
  say("compacting");
  const compacted = await compactedFiles(small, folder, join(folder, "cache"));
  const lines = linesOf(small).filter(({ name }) => values.line === undefined || values.line.includes(name));
  if (lines.length === 0)
    throw new InvalidInputError(
      `no line has that name: ${linesOf(small)
        .map(({ name }) => name)
        .join("; ")}`,
    );
  const measured: Measured[] = [];
  for (const files of [small, compacted]) {
    for (const line of lines) {
      const jobOf = (engine: ReadEngine, warmRuns: number): ReadJob => {
        return {
          engine,
          line,
          store: files.store,
          ...files.of(line),
          packages: packages ?? "",
          cacheDir: join(folder, "cache"),
          warmRuns,
        };
      };
      measured.push(await measureLine(line, files, { engines, runs, jobOf }));
    }
  }
  process.stdout.write(`${renderReads({ small, compacted, engines, packages, runs, measured })}\n`);
}

interface LineOptions {
  readonly engines: readonly ReadEngine[];
  readonly runs: number;
  jobOf(engine: ReadEngine, warmRuns: number): ReadJob;
}

/** The engines take turns, so that what else the machine does falls on all of them. */
async function measureLine(line: ReadLine, { layout }: StoredFiles, { engines, runs, jobOf }: LineOptions) {
  say(`${line.name}, ${layout}`);
  const rows = await checkSame(engines, (engine) => measure(jobOf(engine, 0)));
  const cold = new Map<ReadEngine, ReadResult[]>(engines.map((engine) => [engine, []]));
  for (let index = 0; index < runs; index += 1) {
    for (const engine of engines) cold.get(engine)?.push(await measure(jobOf(engine, 0)));
  }
  const results: Measured = { name: line.name, layout, rows, engines: new Map() };
  for (const engine of engines) {
    const { warmMs } = await measure(jobOf(engine, runs));
    const colds = cold.get(engine) ?? [];
    results.engines.set(engine, {
      coldMs: median(colds.map(({ coldMs }) => coldMs)),
      warmMs: median(warmMs),
      peakMemoryMb: median(colds.map(({ peakMemoryMb }) => peakMemoryMb)),
    });
  }
  return results;
}

/** @throws Error where two engines have not read the same, as then their times say nothing. */
async function checkSame(
  engines: readonly ReadEngine[],
  read: (engine: ReadEngine) => Promise<ReadResult>,
): Promise<number> {
  let first: ReadResult | undefined;
  for (const engine of engines) {
    const result = await read(engine);
    first ??= result;
    if (isSameRead(first, result)) continue;
    const [left, right] = [first, result].map(({ rows, hash, sumOfCloses }) => `${rows} rows, ${hash}, ${sumOfCloses}`);
    throw new Error(`${engines[0]} read ${left}, but ${engine} read ${right}`);
  }
  return first?.rows ?? 0;
}

async function measure(job: ReadJob): Promise<ReadResult> {
  const jobFile = join(folder, "job.json");
  await writeFile(jobFile, JSON.stringify(job));
  const { stdout } = await run(process.execPath, [CHILD, jobFile], { maxBuffer: 1e7 });
  return readResult.parse(JSON.parse(stdout));
}

/** Progress goes where it does not mix with the report. */
function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
