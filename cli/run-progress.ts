import { Presets, SingleBar } from "cli-progress";
import { countOutcomes, type OutcomeCounts, type SymbolOutcome, symbolUpdate } from "../domain/batch.ts";
import type { WorkflowEvent } from "./daily-workflow.ts";
import { type Terminal, writeLine } from "./terminal.ts";

/** Follows a run as it goes on. */
export interface RunProgress {
  onOutcome(outcome: SymbolOutcome): void;
  onEvent(event: WorkflowEvent): void;
  stop(): void;
}

/** Off a terminal nothing is shown. */
export const noProgress: RunProgress = { onOutcome: () => undefined, onEvent: () => undefined, stop: () => undefined };

const FORMAT = "{bar} {value}/{total} symbols  {batches} batches  {outcomes}  {rate}/s  {left} left";

/** A live line on standard error: symbols, batches, outcomes, rate and the time left. */
export function showProgress({ stderr, clock }: Pick<Terminal, "stderr" | "clock">): RunProgress {
  const bar = new SingleBar(
    { format: FORMAT, stream: stderr, barsize: 24, hideCursor: true, clearOnComplete: true },
    Presets.shades_classic,
  );
  const counts: OutcomeCounts = countOutcomes([]);
  let startedAt = 0;
  let symbols = 0;
  let done = 0;
  let batches = 0;
  let batchesDone = 0;

  function update(): void {
    const seconds = (clock.now() - startedAt) / 1000;
    const rate = seconds > 0 ? done / seconds : 0;
    bar.update(done, {
      batches: `${batchesDone}/${batches}`,
      outcomes: Object.entries(counts)
        .filter(([, count]) => count > 0)
        .map(([name, count]) => `${name} ${count}`)
        .join(" "),
      rate: rate.toFixed(rate < 10 ? 1 : 0),
      left: rate > 0 ? timeLeft((symbols - done) / rate) : "?",
    });
  }

  return {
    onOutcome(outcome) {
      counts[outcome] += 1;
      done += 1;
      update();
    },
    onEvent(event) {
      if (event.type === "StateExited" && event.state.name === "UpdateSymbols") {
        const update = symbolUpdate.safeParse(event.state.output);
        if (!update.success) return;
        symbols = update.data.metadata.totalSymbols;
        batches = update.data.metadata.numBatches;
        startedAt = clock.now();
        if (symbols > 0) bar.start(symbols, 0, { batches: `0/${batches}`, outcomes: "", rate: "0", left: "?" });
      }
      if (event.type === "StateRetried" && !bar.isActive)
        writeLine(stderr, `${event.state.name} failed and is tried again`);
      if (event.type === "MapIterationSucceeded") {
        batchesDone += 1;
        update();
      }
    },
    stop: () => bar.stop(),
  };
}

function timeLeft(seconds: number): string {
  return seconds < 60 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
