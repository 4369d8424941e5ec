import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { Aggregator, type BarRow } from "../../aggregator/index.ts";
import type { Bar } from "../../domain/bar.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { uniform } from "../../sandbox/random.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { rowOfBar } from "./bar-rows.ts";
import { anyBar, putDay } from "./stored-bars.ts";

const CHILD = fileURLToPath(new URL("compaction-child.ts", import.meta.url));
/** The clock of compactions goes on by so much from one to the next, in milliseconds: files become removable in time. */
const STEP_MS = 25 * 60_000;

/** How a trial is set up. */
export interface TrialOptions {
  /** An empty folder. */
  readonly folder: string;
  readonly seed: number;
  /** Trading dates, in three calendar years. */
  readonly days: number;
  readonly batches: number;
  readonly symbols: number;
}

/** How a compaction in a process of its own is killed. */
export interface Killing {
  /** Milliseconds after its work has begun. */
  readonly afterMs?: number;
  /** Before one of its calls of the store, counted from 1. */
  readonly atCall?: number;
}

/** How such a compaction ended. */
export interface CompactionEnd {
  readonly wasKilled: boolean;
  readonly exitCode: number | null;
  /** From the beginning of its work to the end of the process. */
  readonly tookMs: number;
  /** Calls of the store; undefined where it was killed. */
  readonly calls: number | undefined;
  readonly errors: string;
}

/** A store whose bars are known, and compactions of it that are killed while it is read. */
export class CompactionTrial {
  readonly #options: TrialOptions;
  readonly #dates: string[] = [];
  /** By date, how often it was run; its bars differ with each. */
  readonly #runs = new Map<string, number>();
  readonly #cacheDir: string;
  readonly #storeFolder: string;
  #nowMs = Date.parse("2025-01-01T00:00:00Z");
  #chances = 0;
  #reader: Aggregator | undefined;

  constructor(options: TrialOptions) {
    this.#options = options;
    this.#storeFolder = join(options.folder, "store");
    this.#cacheDir = join(options.folder, "cache");
    const calendar = createTradingCalendar([]);
    for (const year of [2022, 2023, 2024]) {
      let date = `${year}-06-01`;
      for (let day = 0; day < options.days / 3; day += 1) {
        date = calendar.previousTradingDay(date);
        this.#dates.push(date);
      }
    }
    this.#dates.sort();
  }

  /** Stores every date. */
  async begin(): Promise<void> {
    for (const date of this.#dates) await this.#run(date);
  }

  /** Runs some dates again, so that there is work. */
  async rerun(dates: number): Promise<void> {
    for (let count = 0; count < dates; count += 1) await this.#run(this.#dates[this.#below(this.#dates.length)] ?? "");
  }

  /** Compacts in a process of its own, while ranges are loaded here and compared. */
  async compactWhileReading(killings: readonly Killing[]): Promise<CompactionEnd[]> {
    this.#nowMs += STEP_MS;
    const state = { isDone: false };
    const compacting = Promise.all(killings.map((killing) => this.#compactInChild(killing))).finally(() => {
      state.isDone = true;
    });
    const reader = await this.#openReader();
    do await this.#readSome(reader);
    while (!state.isDone);
    return compacting;
  }

  /** Compares all that is stored, as a process sees it that has seen nothing before. */
  async verify(): Promise<void> {
    const asx = await Aggregator.open(`file:${this.#storeFolder}`, { cacheDir: this.#cacheDir });
    try {
      this.#compare((await asx.loadAll()).toRows(), this.#dates, "all bars");
      const counted = (await asx.sql("SELECT count(*) AS bars FROM bars")).toRows();
      const expected = this.#dates.length * this.#options.symbols;
      check(Number(counted[0]?.["bars"]) === expected, `there are ${counted[0]?.["bars"]} bars, not ${expected}`);
    } finally {
      await asx.close();
    }
  }

  /**
   * One undisturbed compaction; then everything is removed but what was compacted: not a bar may be lost. Hours later no
   * file is left that the manifest does not name.
   */
  async finish(): Promise<void> {
    const [end] = await this.compactWhileReading([{}]);
    check(end?.exitCode === 0, `the last compaction failed: ${end?.errors}`);
    await this.verify();
    await this.#reader?.close();
    this.#reader = undefined;
    const store = createLocalStore(this.#storeFolder);
    for (const prefix of ["raw-data/", "runs/"])
      for (const { key } of await store.list(prefix)) await store.remove(key);
    for (let hours = 0; hours < 3; hours += 1) {
      this.#nowMs += 2 * 60 * 60_000;
      await this.#compactInChild({});
    }
    await this.verify();
    const files = (await store.list("curated/")).map(({ key }) => key);
    check(files.length === 4, `beside the manifest and three years something is left: ${files}`);
  }

  /** Frees the reader. */
  async close(): Promise<void> {
    await this.#reader?.close();
  }

  /** A whole number from 0 to below a bound, the next of the seed's. */
  #below(bound: number): number {
    this.#chances += 1;
    return Math.floor(uniform(this.#options.seed, this.#chances, 0) * bound);
  }

  async #run(date: string): Promise<void> {
    const run = (this.#runs.get(date) ?? 0) + 1;
    this.#runs.set(date, run);
    const bars = this.#barsOf(date);
    const batches = Array.from({ length: this.#options.batches }, (_, batch) =>
      bars.filter(({ batchNumber }) => batchNumber === batch),
    );
    await putDay(createLocalStore(this.#storeFolder), date, batches);
  }

  #barsOf(date: string): Bar[] {
    const run = this.#runs.get(date) ?? 0;
    return Array.from({ length: this.#options.symbols }, (_, index) =>
      anyBar(`S${String(index).padStart(3, "0")}`, date, run, index % this.#options.batches),
    );
  }

  #compare(rows: readonly BarRow[], dates: readonly string[], what: string): void {
    const expected = dates.flatMap((date) => this.#barsOf(date)).map(rowOfBar);
    expected.sort((left, right) => (`${left.symbol} ${left.date}` < `${right.symbol} ${right.date}` ? -1 : 1));
    check(rows.length === expected.length, `${what}: ${rows.length} bars, not ${expected.length}`);
    for (const [index, row] of rows.entries()) {
      const other = expected[index];
      check(isDeepStrictEqual(row, other), `${what}: ${JSON.stringify(row)} where ${JSON.stringify(other)} is right`);
    }
  }

  async #openReader(): Promise<Aggregator> {
    this.#reader ??= await Aggregator.open(`file:${this.#storeFolder}`, { cacheDir: join(this.#cacheDir, "reader") });
    return this.#reader;
  }

  async #readSome(reader: Aggregator): Promise<void> {
    const first = this.#below(this.#dates.length);
    const last = first + this.#below(this.#dates.length - first);
    const [from = "", to = ""] = [this.#dates[first], this.#dates[last]];
    const { length } = await reader.loadDateRange(from, to, { columns: ["close"] });
    check(length === (last - first + 1) * this.#options.symbols, `${from} to ${to}: ${length} bars`);
    const rows = (await reader.loadDateRange(from, to)).toRows();
    this.#compare(rows, this.#dates.slice(first, last + 1), `${from} to ${to}`);
  }

  #compactInChild({ afterMs, atCall }: Killing): Promise<CompactionEnd> {
    const call = atCall === undefined ? [] : [String(atCall)];
    const args = ["--no-warnings", CHILD, this.#storeFolder, this.#cacheDir, String(this.#nowMs), ...call];
    // Most of a child's time would be the reading of its code.
    const env = { ...process.env, NODE_COMPILE_CACHE: join(this.#options.folder, "code") };
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env });
    let output = "";
    let errors = "";
    let beganAt = performance.now();
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.stdout.on("data", (chunk: Buffer) => {
      if (output === "") {
        beganAt = performance.now();
        if (afterMs !== undefined) void sleep(afterMs).then(() => child.kill("SIGKILL"));
      }
      output += chunk.toString();
    });
    return new Promise((resolve, reject) => {
      child.once("error", reject).once("close", (exitCode, signal) => {
        const calls = /calls (\d+)/.exec(output)?.[1];
        resolve({
          wasKilled: signal === "SIGKILL",
          exitCode,
          tookMs: performance.now() - beganAt,
          calls: calls === undefined ? undefined : Number(calls),
          errors: errors.slice(-600),
        });
      });
    });
  }
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
