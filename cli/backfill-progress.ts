import * as z from "zod";
import { backfillPlan } from "../domain/backfill.ts";
import type { SymbolOutcome } from "../domain/batch.ts";
import type { Clock } from "../lambdas/runtime/clock.ts";
import type { Logger } from "../lambdas/runtime/logger.ts";
import type { WorkflowEvent } from "./local-state-machine.ts";
import { counted, whole } from "./numbers.ts";
import type { ProgressLine } from "./progress-line.ts";

/** Follows a backfill as it goes on. */
export interface BackfillProgress {
  onOutcome(outcome: SymbolOutcome): void;
  onEvent(event: WorkflowEvent): void;
}

/** What a progress is told by. */
export interface BackfillProgressOptions {
  /** A live line, where somebody watches; else the log tells. */
  readonly line: ProgressLine | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Requests for charts so far. */
  readonly requests: () => number;
  /** Requests a second that are allowed; undefined where they are not limited. */
  readonly budget: number | undefined;
}

/** What the state PlanBackfill leaves. */
const planned = z.object({ plan: backfillPlan.omit({ run: true }) });

/** Tells of a backfill in this process: a live line, or a log line a batch. */
export function createBackfillProgress(options: BackfillProgressOptions): BackfillProgress {
  const { line, logger, clock, requests, budget } = options;
  let symbols = 0;
  let done = 0;

  function onPlan(state: unknown): void {
    const plan = planned.safeParse(state).data?.plan;
    if (plan === undefined) return;
    const { symbolBatches, metadata } = plan;
    symbols = symbolBatches.reduce((sum, batch) => sum + batch.symbols.length, 0);
    done = 0;
    line?.start({ symbols, batches: symbolBatches.length, requests, budget }, clock.now());
    if (line !== undefined) return;
    const left = `${counted(symbols, "symbol")} to fetch in ${whole(symbolBatches.length)} batches`;
    logger.info(`${left}; ${whole(metadata.finished)} of ${whole(metadata.totalSymbols)} are stored already`);
  }

  return {
    onOutcome(outcome) {
      done += 1;
      line?.addOutcomes(outcome, 1);
    },
    onEvent(event) {
      if (event.type === "StateExited" && event.state.name === "PlanBackfill") onPlan(event.state.output);
      if (event.type === "MapIterationSucceeded" && event.parentState.name === "FetchLane") {
        line?.addBatch();
        if (line === undefined)
          logger.info(`${whole(done)} of ${counted(symbols, "symbol")} done, ${counted(requests(), "request")}`);
      }
      if (event.type === "StateRetried") logger.warn(`${event.state.name} is tried again`);
    },
  };
}
