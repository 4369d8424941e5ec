import { SYMBOL_OUTCOMES } from "../domain/batch.ts";
import type { Clock } from "../lambdas/runtime/clock.ts";
import type { Logger } from "../lambdas/runtime/logger.ts";
import type { ExecutionStep } from "./execution-history.ts";
import { whole } from "./numbers.ts";
import { describeCounts, type ProgressLine } from "./progress-line.ts";

/** Follows an execution as it goes on. `agoMs`: how many milliseconds before the newest event a step happened. */
export type ExecutionProgress = (step: ExecutionStep, agoMs: number) => void;

/** Off a terminal: one log line a step. */
export function logExecution(logger: Logger): ExecutionProgress {
  let batches = 0;
  let done = 0;
  const batchDone = (): string => {
    done += 1;
    return `${whole(done)} of ${whole(batches)} done`;
  };
  return (step) => {
    switch (step.kind) {
      case "symbols": {
        const { date, tradingDay, metadata } = step.update;
        batches = metadata.numBatches;
        const found = `${whole(metadata.totalSymbols)} symbols in ${whole(batches)} batches`;
        logger.info(`${date}: ${tradingDay ? found : "no trading day"}`);
        for (const warning of metadata.warnings) logger.warn(warning);
        return;
      }
      case "plan": {
        const { backfill, symbolBatches, metadata } = step.plan;
        batches = symbolBatches.length;
        done = 0;
        const left = symbolBatches.reduce((sum, { symbols }) => sum + symbols.length, 0);
        const stored = `${whole(metadata.finished)} of ${whole(metadata.totalSymbols)} symbols stored already`;
        logger.info(
          `${backfill.from} to ${backfill.to}: ${whole(left)} symbols in ${whole(batches)} batches, ${stored}`,
        );
        for (const warning of metadata.warnings) logger.warn(warning);
        return;
      }
      case "batch":
        logger.info(`batch ${step.result.batchNumber}: ${describeCounts(step.result.counts)}, ${batchDone()}`);
        return;
      case "batchLost":
        logger.warn(`batch ${step.batch.batchNumber} was lost, ${batchDone()}`);
        return;
      case "failure":
        logger.warn(`${step.state} failed: ${step.reason}`);
        return;
      case "givenUp":
        logger.error(`${step.state} is given up: ${step.reason}`);
        return;
      case "summary":
        logger.info(step.digest.message);
    }
  };
}

/** On a terminal: a live line, and the log for what goes wrong. */
export function showExecution(line: ProgressLine, logger: Logger, clock: Clock): ExecutionProgress {
  const log = logExecution(logger);
  let batchSizes: ReadonlyMap<number, number> = new Map();
  return (step, agoMs) => {
    log(step, agoMs);
    if (step.kind === "symbols" || step.kind === "plan") {
      const { symbolBatches } = step.kind === "plan" ? step.plan : step.update;
      batchSizes = new Map(symbolBatches.map(({ batchNumber, symbols }) => [batchNumber, symbols.length]));
      const symbols = symbolBatches.reduce((sum, batch) => sum + batch.symbols.length, 0);
      // Rates are by this machine's clock: the service's may be ahead of it.
      line.start({ symbols, batches: symbolBatches.length }, clock.now() - agoMs);
    }
    if (step.kind === "batch") addOutcomes(line, step);
    if (step.kind === "batchLost") line.addOutcomes("failed", batchSizes.get(step.batch.batchNumber) ?? 0);
    if (step.kind === "batch" || step.kind === "batchLost") line.addBatch();
  };
}

function addOutcomes(line: ProgressLine, { result }: Extract<ExecutionStep, { kind: "batch" }>): void {
  for (const outcome of Object.values(SYMBOL_OUTCOMES)) line.addOutcomes(outcome, result.counts[outcome]);
}
