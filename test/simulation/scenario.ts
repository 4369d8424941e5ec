/** One scenario: an evening under faults, runs until the day is whole, the next day and the catch-up after it. */
import type { SymbolUpdaterEvent } from "../../domain/batch.ts";
import { parseRawDataKey } from "../../domain/object-keys.ts";
import type { RunSummary } from "../../domain/run-summary.ts";
import { sydneyInstant } from "../../domain/trading-date.ts";
import { hashText, uniform } from "../../sandbox/random.ts";
import { sha256 } from "../../stores/sha256.ts";
import { KIND_NAMES, type KindName } from "./kinds.ts";
import { MARKETS, type ScenarioDays, scenarioDays } from "./market.ts";
import {
  BrokenPromise,
  checkBudget,
  checkGiven,
  checkManifest,
  checkNeverLess,
  checkNothingLost,
  checkSummary,
  checkTurnedAway,
  checkWhole,
  readStored,
  type Stored,
} from "./oracle.ts";
import { createTrouble, type Trouble } from "./trouble.ts";
import { createWorld, type RunsRecord, type World } from "./world.ts";

/** A faulty directory that listed more makes the right one look truncated: somebody saw the warning, and takes it. */
const WARNED = { acceptDirectory: true };

/** Most runs under faults, and after them until the day is whole. */
const MOST_FAULTY_RUNS = 8;
const MOST_CLEAN_RUNS = 5;
const MINUTE_MS = 60_000;
/** After so long a run that has died is known to be dead. */
const LOCK_EXPIRES_MS = 30 * MINUTE_MS;

/** What a scenario came to. */
export interface ScenarioResult {
  /** Kinds whose faults were made, and how often. */
  readonly made: ReadonlyMap<KindName, number>;
  /** SHA-256 over everything that was stored at the end. */
  readonly digest: string;
}

/**
 * Plays a scenario in which faults of some kinds are certainly made.
 * @throws BrokenPromise where one of the promises does not hold.
 */
export async function playScenario(kinds: readonly KindName[], seed: number): Promise<ScenarioResult> {
  const own = hashText(seed, kinds.join());
  let drawn = 0;
  const random = (): number => {
    drawn += 1;
    return uniform(own, drawn, 0);
  };
  const trouble = createTrouble(new Set(kinds), sharesOf(kinds, random), random);
  const number = own % MARKETS;
  const days = scenarioDays(number);
  const scenario = new Scenario(
    createWorld({
      market: number,
      startMs: sydneyInstant(days.day, "19:30"),
      trouble,
      budget: [5, 10, 20][Math.floor(random() * 3)] ?? 5,
      ...(random() < 0.7 && { objects: await objectsBefore(number, days) }),
    }),
    days,
    trouble,
  );
  await scenario.play();
  return { made: trouble.made, digest: digestOf(scenario.world) };
}

/** The kinds of the scenario, and up to three others. */
function sharesOf(kinds: readonly KindName[], random: () => number): ReadonlyMap<KindName, number> {
  const shares = new Map<KindName, number>();
  for (let others = Math.floor(random() * 4); others >= kinds.length; others -= 1) {
    const other = KIND_NAMES[Math.floor(random() * KIND_NAMES.length)];
    if (other !== undefined) shares.set(other, random() ** 2 * 0.4);
  }
  // Now and then everything is hit.
  for (const kind of kinds) shares.set(kind, random() < 0.1 ? 1 : (random() ** 2 * 0.7) / kinds.length);
  // Two functions that fetch the same symbols differ only where the upstream answers them differently.
  if (kinds.includes("delivered-twice") && !shares.has("consent")) shares.set("consent", 0.3);
  if (kinds.includes("older-directory-gone")) shares.set("directory-forbidden", 1);
  return shares;
}

class Scenario {
  readonly world: World;
  readonly #days: ScenarioDays;
  readonly #trouble: Trouble;
  #batchSize: number;
  #stored: Stored = { bars: new Map(), revisions: [] };

  constructor(world: World, days: ScenarioDays, trouble: Trouble) {
    this.world = world;
    this.#days = days;
    this.#trouble = trouble;
    this.#batchSize = 4 + Math.floor(trouble.random() * 4);
  }

  async play(): Promise<void> {
    const { day, next } = this.#days;
    this.#stored = await readStored(this.world.store);
    await this.#playFaultyRuns(day);
    await this.#runUntilWhole(day);
    // Now and then nothing runs on the next evening, and the catch-up has it all to do.
    if (this.#trouble.random() < 0.6) {
      await this.#waitUntil(sydneyInstant(next, "19:30"));
      await this.#runUntilWhole(next);
    }
    await this.#waitUntil(sydneyInstant(next, "19:30") + 12 * 60 * MINUTE_MS);
    const { summary } = await this.#run({ catchUp: true, ...WARNED }, next);
    if (summary?.status !== "complete")
      throw new BrokenPromise(`the catch-up ended ${summary?.status ?? "without a summary"}`);
    checkWhole(
      this.#stored,
      this.world.market,
      this.#days.sessions.slice(-5),
      this.world.market.listed(next),
      this.world.misled,
    );
  }

  async #playFaultyRuns(day: string): Promise<void> {
    const { random, missing } = this.#trouble;
    this.#trouble.isOn = true;
    const runs = 1 + Math.floor(random() * 2);
    for (let run = 0; run < runs || (missing().length > 0 && run < MOST_FAULTY_RUNS); run += 1) {
      // A day that other faults have kept from its own, or that is whole already, is asked for all over again.
      this.#trouble.isAlone = run >= runs;
      const isAlone = run >= runs;
      const event = { date: day, catchUp: isAlone || random() < 0.2, acceptDirectory: isAlone || random() < 0.5 };
      await this.#run(event, day);
      if (isAlone) await this.world.passTime(LOCK_EXPIRES_MS);
      await this.#passInterval(day);
    }
    this.#trouble.isOn = false;
    if (missing().length > 0) throw new BrokenPromise(`${missing()} was not made in ${MOST_FAULTY_RUNS} runs`);
    await this.world.deliverLate();
    this.#stored = await readStored(this.world.store);
  }

  async #runUntilWhole(date: string): Promise<void> {
    const ends: string[] = [];
    for (let run = 0; run < MOST_CLEAN_RUNS; run += 1) {
      const { summary, runs } = await this.#run({ date, ...WARNED }, date);
      if (runs.end?.digest !== undefined && summary !== undefined) {
        if (summary.status === "complete") return;
        // Only untrue outcomes can make a day fail that was asked to the end; the catch-up finds out.
        const { failed, deferred } = summary.counts;
        if (summary.status === "failed" && failed + deferred === 0 && this.world.mistaken.size > 0) return;
        ends.push(`${summary.status} ${JSON.stringify(summary.counts)} ${JSON.stringify(summary.quality?.findings)}`);
      } else ends.push(`${runs.end?.error?.name} ${runs.errors.join("; ")}`);
      await this.world.passTime(LOCK_EXPIRES_MS + 1);
    }
    throw new BrokenPromise(`${date} is not whole after ${MOST_CLEAN_RUNS} runs without faults: ${ends.join(" | ")}`);
  }

  /** One run, and what holds after every run. */
  async #run(event: SymbolUpdaterEvent, date: string): Promise<{ runs: RunsRecord; summary: RunSummary | undefined }> {
    const { world } = this;
    const runs = await world.run(event, this.#batchSize);
    const stored = await readStored(world.store);
    checkNothingLost(this.#stored, stored);
    await checkNeverLess(world.written);
    checkGiven(stored, world.market, world.misled);
    checkTurnedAway(runs);
    if (!runs.hadTwins) {
      checkBudget(runs, this.#budget);
    }
    this.#stored = stored;
    if (runs.end?.digest === undefined) return { runs, summary: undefined };
    if (runs.end.digest.redrive !== null) {
      // Only a run that broke off in the round after may end with symbols to ask for again.
      if (runs.end.error?.name === "NoSummary") return { runs, summary: undefined };
      throw new BrokenPromise(
        `the run ended ${runs.end.error?.name ?? runs.end.underWay} instead of: ${runs.end.digest.message}`,
      );
    }
    const summary = checkSummary(
      date,
      world.store,
      world.market,
      !this.#trouble.made.has("directory-truncated") || !this.#trouble.isOn,
    );
    checkManifest(summary, world.store, stored);
    return { runs, summary };
  }

  get #budget(): number {
    return this.world.budget;
  }

  /** What happens between two runs. */
  async #passInterval(day: string): Promise<void> {
    const { random } = this.#trouble;
    await this.world.passTime(Math.floor(random() * 40 * MINUTE_MS));
    if (this.#trouble.isDue("clock-jumps")) {
      this.#trouble.note("clock-jumps");
      await this.world.passTime(Math.floor(random() * 180 * MINUTE_MS));
    }
    if (this.#trouble.isDue("batches-recut")) {
      this.#trouble.note("batches-recut");
      this.#batchSize = this.#batchSize === 4 ? 6 : 4;
    }
    await this.#harmFile(day);
  }

  async #harmFile(day: string): Promise<void> {
    const { objects } = this.world.store;
    const { random } = this.#trouble;
    const files = [...objects].filter(([key]) => parseRawDataKey(key)?.date === day);
    const file = files[Math.floor(random() * files.length)];
    if (file === undefined) return;
    const [key, bytes] = file;
    if (this.#trouble.isDue("file-deleted")) {
      this.#trouble.note("file-deleted");
      objects.delete(key);
      this.#stored = await readStored(this.world.store);
      return;
    }
    const harm = this.#trouble.due(["file-cut", "file-damaged"]);
    if (harm === undefined) return;
    this.#trouble.note(harm);
    const harmed =
      harm === "file-cut"
        ? Uint8Array.from(bytes.subarray(0, Math.floor(random() * bytes.length)))
        : Uint8Array.from(bytes);
    if (harm === "file-damaged") {
      const at = Math.floor(random() * harmed.length);
      harmed[at] = (harmed[at] ?? 0) ^ (1 << Math.floor(random() * 8));
    }
    objects.set(key, harmed);
    const { end } = await this.world.run({ date: day }, this.#batchSize);
    if (objects.get(key) !== harmed) {
      if (harm === "file-cut") throw new BrokenPromise(`${key} was cut, and then written over`);
      return;
    }
    if (harm === "file-cut" && end?.digest?.status === "complete")
      throw new BrokenPromise(`the day is complete with ${key} cut`);
    objects.set(key, bytes);
  }

  async #waitUntil(time: number): Promise<void> {
    await this.world.passTime(Math.max(0, time - this.world.clock.now()));
  }
}

const before = new Map<number, Promise<ReadonlyMap<string, Uint8Array>>>();

/** What is stored after the session before the scenario's day: the same for every scenario of a market. */
function objectsBefore(market: number, days: ScenarioDays): Promise<ReadonlyMap<string, Uint8Array>> {
  const known = before.get(market) ?? prepare(market, days);
  before.set(market, known);
  return known;
}

async function prepare(market: number, days: ScenarioDays): Promise<ReadonlyMap<string, Uint8Array>> {
  const trouble = createTrouble(new Set(), new Map(), () => 0.5);
  const world = createWorld({ market, startMs: sydneyInstant(days.before, "21:00"), trouble, budget: 20 });
  const { end } = await world.run({ catchUp: true }, 5);
  if (end?.digest?.status !== "complete") throw new BrokenPromise(`the first catch-up ended ${JSON.stringify(end)}`);
  return world.store.objects;
}

function digestOf({ store }: World): string {
  const files = [...store.objects].map(([key, bytes]) => `${key} ${sha256(bytes)}`).sort();
  return sha256(new TextEncoder().encode(files.join("\n")));
}
