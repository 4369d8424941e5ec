import { type SymbolBatch, type SymbolOutcome, symbolUpdate } from "../domain/batch.ts";
import type { Redrive } from "../domain/run-summary.ts";
import type { Clock } from "../lambdas/runtime/clock.ts";
import type { WorkflowEvent } from "./daily-workflow.ts";
import type { ProgressLine } from "./progress-line.ts";

/** Follows a run as it goes on. */
export interface RunProgress {
  onOutcome(outcome: SymbolOutcome): void;
  onEvent(event: WorkflowEvent): void;
  /** What is unfinished is fetched again. */
  onRedrive(redrive: Redrive): void;
}

/** A live line about a run in this process, which tells of every symbol. */
export function showProgress(line: ProgressLine, clock: Clock): RunProgress {
  let symbolBatches: readonly SymbolBatch[] = [];
  return {
    onOutcome: (outcome) => line.addOutcomes(outcome, 1),
    onEvent(event) {
      if (event.type === "StateExited" && event.state.name === "UpdateSymbols") {
        const update = symbolUpdate.safeParse(event.state.output);
        if (!update.success) return;
        symbolBatches = update.data.symbolBatches;
        const { totalSymbols, numBatches } = update.data.metadata;
        line.start({ symbols: totalSymbols, batches: numBatches }, clock.now());
      }
      if (event.type === "MapIterationSucceeded" && event.parentState.name === "FetchLane") line.addBatch();
    },
    onRedrive({ lanes }) {
      const numbers = new Set(lanes.flat());
      const batches = symbolBatches.filter(({ batchNumber }) => numbers.has(batchNumber));
      const symbols = batches.reduce((sum, batch) => sum + batch.symbols.length, 0);
      line.start({ symbols, batches: batches.length }, clock.now());
    },
  };
}
