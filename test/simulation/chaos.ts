/**
 * Plays scenarios of all kinds of faults on all processors, and names those in which a promise was broken.
 *
 *   node test/simulation/chaos.ts [SCENARIOS] [--each SEEDS] [--seed N] [--kind KIND]
 *
 * SCENARIOS (default 10000) are dealt out among the kinds. With --each every kind is made with so many seeds, from 0 on,
 * twelve kinds to a scenario, in ever other groups. With --kind only some kinds, with commas between them; with --seed too
 * that one scenario is replayed. Ends with 1 where a promise was broken.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import * as z from "zod";
import { FAULTS } from "../../sandbox/faults.ts";
import { hashText } from "../../sandbox/random.ts";
import { catalogueOf, isFault, isKind, KIND_NAMES, type KindName } from "./kinds.ts";
import { playScenario } from "./scenario.ts";

const DEFAULT_SCENARIOS = 10_000;
/** A scenario takes a tenth of a second; one that takes so long has hung. */
const LONGEST_SCENARIO_MS = 60_000;
const PROGRESS_EVERY_MS = 30_000;
/** Kinds of one scenario, where every kind is to have so many seeds. */
const GROUP = 12;

/** Kinds and seed of a scenario. */
type Chosen = readonly [kinds: readonly KindName[], seed: number];

interface Played {
  readonly index: number;
  /** What was broken; undefined where nothing was. */
  readonly trouble: string | undefined;
}

const plan = z.object({ scenarios: z.array(z.tuple([z.array(z.custom<KindName>()), z.number()])) });

if (isMainThread) process.exitCode = await playAll();
else await playOwn();

/** In a worker: plays the scenarios that it is told, one after the other. */
async function playOwn(): Promise<void> {
  const { scenarios } = plan.parse(workerData);
  for (const [index, [kinds, seed]] of scenarios.entries()) {
    let trouble: string | undefined;
    try {
      await playScenario(kinds, seed);
    } catch (error) {
      trouble = error instanceof Error ? (error.name === "BrokenPromise" ? error.message : error.stack) : String(error);
    }
    const played: Played = { index, trouble };
    parentPort?.postMessage(played);
  }
  // What has died in a scenario waits for ever.
  process.exit();
}

async function playAll(): Promise<number> {
  const scenarios = chosenScenarios();
  const began = performance.now();
  const threads = Math.min(availableParallelism(), scenarios.length);
  let played = 0;
  let failed = 0;
  const report = setInterval(
    () => say(`${played} of ${scenarios.length} scenarios, ${failed} failed`),
    PROGRESS_EVERY_MS,
  );
  const fail = ([kinds, seed]: Chosen, trouble: string): void => {
    failed += 1;
    say(`FAILED ${kinds} ${seed}: ${trouble}\n  replay: npm run chaos -- --kind ${kinds} --seed ${seed}`);
  };
  const work = Array.from({ length: threads }, (_, thread) =>
    playInThread(
      scenarios.filter((_scenario, index) => index % threads === thread),
      () => {
        played += 1;
      },
      fail,
    ),
  );
  await Promise.all(work);
  clearInterval(report);
  const kinds = new Set(scenarios.flatMap(([names]) => names));
  const ids = new Set([...kinds].flatMap(catalogueOf));
  const seconds = (performance.now() - began) / 1000;
  say(
    `${played} scenarios of ${kinds.size} kinds, which stand for ${ids.size} failures of the catalogue: ${failed} failed; ` +
      `${seconds.toFixed(1)} s on ${threads} threads`,
  );
  return failed === 0 && played === scenarios.length ? 0 : 1;
}

/** Plays scenarios in a thread of their own; one that hangs ends the thread, and the rest goes on in another. */
function playInThread(
  scenarios: readonly Chosen[],
  onPlayed: () => void,
  onFailed: (scenario: Chosen, trouble: string) => void,
): Promise<void> {
  if (scenarios.length === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { scenarios } });
    let next = 0;
    const hangs = (): void => {
      const hung = scenarios[next];
      if (hung !== undefined) onFailed(hung, `it has not ended after ${LONGEST_SCENARIO_MS / 1000} s`);
      onPlayed();
      worker.removeAllListeners();
      worker
        .terminate()
        .then(() => playInThread(scenarios.slice(next + 1), onPlayed, onFailed))
        .then(resolve, reject);
    };
    let watch = setTimeout(hangs, LONGEST_SCENARIO_MS);
    worker.on("message", ({ index, trouble }: Played) => {
      clearTimeout(watch);
      const scenario = scenarios[index];
      next = index + 1;
      onPlayed();
      if (trouble !== undefined && scenario !== undefined) onFailed(scenario, trouble);
      if (next < scenarios.length) watch = setTimeout(hangs, LONGEST_SCENARIO_MS);
    });
    worker.on("error", (error) => {
      clearTimeout(watch);
      reject(error);
    });
    worker.on("exit", () => {
      clearTimeout(watch);
      resolve();
    });
  });
}

/** Kind and seed of every scenario that the command line asks for. */
function chosenScenarios(): Chosen[] {
  const { values, positionals } = parseArgs({
    options: { each: { type: "string" }, seed: { type: "string" }, kind: { type: "string" } },
    allowPositionals: true,
  });
  const named = values.kind?.split(",").map((kind) => {
    if (!isKind(kind)) throw new Error(`there is no kind ${kind}: choose of ${KIND_NAMES.join(", ")}`);
    return kind;
  });
  const seed = number(values.seed, "--seed");
  if (seed !== undefined && named !== undefined) return [[named, seed]];
  const kinds = named ?? KIND_NAMES;
  if (seed !== undefined) return kinds.map((kind) => [[kind], seed]);
  const each = number(values.each, "--each");
  if (each !== undefined) return Array.from({ length: each }, (_, from) => inGroups(kinds, from)).flat();
  const count = number(positionals[0], "SCENARIOS") ?? DEFAULT_SCENARIOS;
  return Array.from({ length: count }, (_, index) => [
    [kinds[index % kinds.length] ?? "html"],
    Math.floor(index / kinds.length),
  ]);
}

/**
 * Every kind once, in groups that are others with every seed. Kinds of one sort are dealt out among the groups: a run
 * downloads one directory, so two faults of it would take two runs.
 */
function inGroups(kinds: readonly KindName[], seed: number): Chosen[] {
  const mixed = kinds.toSorted(
    (left, right) => sortOf(left) - sortOf(right) || hashText(seed, left) - hashText(seed, right),
  );
  const groups: KindName[][] = Array.from({ length: Math.ceil(kinds.length / GROUP) }, () => []);
  for (const [index, kind] of mixed.entries()) groups[index % groups.length]?.push(kind);
  return groups.map((group) => [group, seed]);
}

function sortOf(kind: KindName): number {
  if (!isFault(kind)) return 0;
  return FAULTS[kind].target === "directory" ? 1 : 2;
}

function number(text: string | undefined, what: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${what} is ${text}, not a whole number`);
  return Number(text);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
