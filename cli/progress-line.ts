import { Presets, SingleBar } from "cli-progress";
import { countOutcomes, type OutcomeCounts, type SymbolOutcome } from "../domain/batch.ts";
import type { Terminal } from "./terminal.ts";

/** What a live line counts up to. */
export interface ProgressTotals {
  readonly symbols: number;
  readonly batches: number;
  /** Requests so far, where they are to be shown. */
  readonly requests?: () => number;
  /** Requests a second that are allowed, one a symbol: the time left is no less than this takes. */
  readonly budget?: number | undefined;
}

/** A live line that tells how far a run is. */
export interface ProgressLine {
  /** Shows the line, from the beginning where it was shown before. `startedAt`: when the first batch could start, in milliseconds since 1970 by the clock of this machine. */
  start(totals: ProgressTotals, startedAt: number): void;
  /** Whether the line is shown. */
  readonly isActive: boolean;
  addOutcomes(outcome: SymbolOutcome, symbols: number): void;
  addBatch(): void;
  stop(): void;
}

const FORMAT = "{bar} {value}/{total} symbols  {batches} batches  {outcomes}{requests}  {rate}/s  {left} left";

/** A line on standard error: symbols, batches, outcomes, rate and the time left. */
export function createProgressLine({ stderr, clock }: Pick<Terminal, "stderr" | "clock">): ProgressLine {
  const bar = new SingleBar(
    { format: FORMAT, stream: stderr, barsize: 24, hideCursor: true, clearOnComplete: true },
    Presets.shades_classic,
  );
  let counts: OutcomeCounts = countOutcomes([]);
  let startedAt = 0;
  let symbols = 0;
  let done = 0;
  let batches = 0;
  let requests: ProgressTotals["requests"];
  let budget = Number.POSITIVE_INFINITY;
  let batchesDone = 0;

  function update(): void {
    const seconds = (clock.now() - startedAt) / 1000;
    const rate = seconds > 0 ? done / seconds : 0;
    bar.update(done, {
      batches: `${batchesDone}/${batches}`,
      outcomes: describeCounts(counts),
      requests: requests === undefined ? "" : `  ${requests()} requests`,
      rate: rate.toFixed(rate < 10 ? 1 : 0),
      left: rate > 0 ? timeLeft((symbols - done) / Math.min(rate, budget)) : "?",
    });
  }

  return {
    start(totals, at) {
      symbols = totals.symbols;
      batches = totals.batches;
      requests = totals.requests;
      budget = totals.budget ?? Number.POSITIVE_INFINITY;
      startedAt = at;
      counts = countOutcomes([]);
      done = 0;
      batchesDone = 0;
      if (symbols > 0)
        bar.start(symbols, 0, {
          batches: `0/${batches}`,
          outcomes: "",
          requests: "",
          rate: "0",
          left: Number.isFinite(budget) ? timeLeft(symbols / budget) : "?",
        });
    },
    get isActive() {
      return bar.isActive;
    },
    addOutcomes(outcome, more) {
      counts[outcome] += more;
      done += more;
      update();
    },
    addBatch() {
      batchesDone += 1;
      update();
    },
    stop: () => bar.stop(),
  };
}

/** `fetched 97 noTrade 2`: the outcomes that occurred. */
export function describeCounts(counts: OutcomeCounts): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${count}`)
    .join(" ");
}

function timeLeft(seconds: number): string {
  return seconds < 60 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
