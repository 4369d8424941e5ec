/**
 * Hurts real runs with real processes: kills `asx run` at chance moments, then lets one run end the day; and starts two
 * runs of a date at once. Whatever happens, the day has every bar once, as an undisturbed run stores them.
 *
 *   node .ci/hurt_runs.ts [KILLS] [PAIRS] [SEED]
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { Aggregator } from "../aggregator/index.ts";
import { parseDirectory } from "../lambdas/symbol-updater/asx-directory.ts";
import { uniform } from "../sandbox/random.ts";
import { startSandbox } from "../sandbox/server.ts";
import { createSyntheticMarket } from "../sandbox/synthetic-market.ts";

const DATE = "2024-05-31";
const LATENCY_MS = 40;
const CLI = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
const [kills = 50, pairs = 20, seed = 1] = process.argv.slice(2).map(Number);

const market = createSyntheticMarket({ seed: 1, now: Date.now });
const symbols = parseDirectory(market.directory().current)
  .listings.slice(0, 60)
  .map(({ symbol }) => symbol);
const folder = await mkdtemp(join(tmpdir(), "asx-eod-hurt-"));
const sandbox = await startSandbox({
  market,
  now: Date.now,
  delivery: async (answer) => {
    await sleep(LATENCY_MS);
    return answer;
  },
});

try {
  const undisturbed = join(folder, "undisturbed");
  const tookMs = await timed(async () => check((await finished(start(undisturbed))).code === 0, "an undisturbed run"));
  const expected = await barsOf(undisturbed);
  check(expected.length > 30, `the undisturbed run has only ${expected.length} bars`);

  for (let kill = 1; kill <= kills; kill += 1) {
    const store = join(folder, `kill-${kill}`);
    const victim = start(store);
    const momentMs = Math.round(uniform(seed, kill, 0) * tookMs);
    await Promise.race([sleep(momentMs), victim.ended]);
    victim.process.kill("SIGKILL");
    await victim.ended;
    const { code, stderr } = await finished(start(store));
    check(code === 0, `the run after a kill at ${momentMs} ms ended with ${code}: ${stderr.slice(-400)}`);
    check(isDeepStrictEqual(await barsOf(store), expected), `after a kill at ${momentMs} ms the bars are others`);
    await rm(store, { recursive: true, force: true });
  }
  process.stdout.write(
    `ok: ${kills} runs killed within ${Math.round(tookMs)} ms; one run after each made the day whole\n`,
  );

  for (let pair = 1; pair <= pairs; pair += 1) {
    const store = join(folder, `pair-${pair}`);
    const ends = await Promise.all([finished(start(store)), finished(start(store))]);
    const codes = ends.map(({ code }) => code).sort();
    check(
      isDeepStrictEqual(codes, [0, 1]),
      `two runs at once ended with ${codes}: ${ends.map(({ stderr }) => stderr.slice(-300))}`,
    );
    const stopped = ends.find(({ code }) => code === 1)?.stderr ?? "";
    check(/2024-05-31 is being run by process \d+ on /.test(stopped), `the one that stopped says: ${stopped}`);
    check(isDeepStrictEqual(await barsOf(store), expected), "after two runs at once the bars are others");
    await rm(store, { recursive: true, force: true });
  }
  process.stdout.write(`ok: ${pairs} times two runs of a date at once; one stored it, the other said why it stopped\n`);
} finally {
  await sandbox.close();
  await rm(folder, { recursive: true, force: true });
}

interface Started {
  readonly process: ReturnType<typeof spawn>;
  readonly ended: Promise<{ code: number | null; stderr: string }>;
}

/** Starts a run of a few batches. */
function start(store: string): Started {
  const options = ["--date", DATE, "--store", `file:${store}`, "--source", sandbox.url, "--rate", "unlimited"];
  const sizes = ["--batch-size", "10", "--max-concurrency", "3", "--symbols", symbols.join(",")];
  const child = spawn(process.execPath, [CLI, "run", ...options, ...sizes], { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<{ code: number | null; stderr: string }>((resolve, reject) => {
    child.once("error", reject).once("close", (code) => resolve({ code, stderr }));
  });
  return { process: child, ended };
}

function finished({ ended }: Started): Started["ended"] {
  return ended;
}

/** Every bar of the date, but for when it was fetched. */
async function barsOf(store: string) {
  const asx = await Aggregator.open(`file:${store}`);
  try {
    return (await asx.loadDate(DATE)).toRows().map(({ fetch_timestamp: _, ...bar }) => bar);
  } finally {
    await asx.close();
  }
}

async function timed(action: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await action();
  return performance.now() - startedAt;
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(`${otherwise} (seed ${seed})`);
}
