import { type SymbolOutcome, symbolUpdate } from "../domain/batch.ts";
import type { WorkflowEvent } from "./daily-workflow.ts";
import { createProgressLine } from "./progress-line.ts";
import { type Terminal, writeLine } from "./terminal.ts";

/** Follows a run as it goes on. */
export interface RunProgress {
  onOutcome(outcome: SymbolOutcome): void;
  onEvent(event: WorkflowEvent): void;
  stop(): void;
}

/** Off a terminal nothing is shown. */
export const noProgress: RunProgress = { onOutcome: () => undefined, onEvent: () => undefined, stop: () => undefined };

/** A live line about a run in this process, which tells of every symbol. */
export function showProgress(terminal: Pick<Terminal, "stderr" | "clock">): RunProgress {
  const line = createProgressLine(terminal);
  return {
    onOutcome: (outcome) => line.addOutcomes(outcome, 1),
    onEvent(event) {
      if (event.type === "StateExited" && event.state.name === "UpdateSymbols") {
        const update = symbolUpdate.safeParse(event.state.output);
        if (!update.success) return;
        const { totalSymbols, numBatches } = update.data.metadata;
        line.start({ symbols: totalSymbols, batches: numBatches }, terminal.clock.now());
      }
      if (event.type === "StateRetried" && !line.isActive)
        writeLine(terminal.stderr, `${event.state.name} failed and is tried again`);
      if (event.type === "MapIterationSucceeded") line.addBatch();
    },
    stop: () => line.stop(),
  };
}
