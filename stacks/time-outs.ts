/**
 * Time-outs of a deployment, in seconds. Each fits into the next: a request into its function, a
 * function into its state, and every state, tried again once after its function was lost, into the run.
 */

import { REDRIVE_WAITS_SECONDS } from "../lambdas/run-summary/plan-redrive.ts";

/** What bounds each Lambda. 900 is the most that Lambda allows. */
export const FUNCTION_SECONDS = { "symbol-updater": 300, "batch-fetcher": 900, "run-summary": 300 } as const;

/** How much longer the workflow waits than a function may take: the function's own end is to be seen. */
const STATE_MARGIN_SECONDS = 30;

/** Longest wait of the workflow before it tries a state again after its function was lost. */
const RETRY_WAIT_SECONDS = 30;

/** Tries of a state whose function is killed or times out. */
const TRIES = 2;

/** What bounds a backfill: a day. Its rounds are as long as the span is; what is cut off loses the requests in flight only. */
export const BACKFILL_TIMEOUT_SECONDS = 86_400;

/** More symbols than the exchange has ever listed: 2,009 in 2026. */
const MOST_SYMBOLS = 2_500;

const DAY_SECONDS = 86_400;

/** What a batch may take at the request budget it shares: the rest of its function's time is for retries. */
export const LONGEST_BATCH_SECONDS = 600;

/** What of a configuration decides how long a run takes. */
export interface Pace {
  readonly batchSize: number;
  readonly concurrency: number;
  readonly requestsPerSecond: number;
}

/** Whether a batch can be fetched at the request budget within its function's time. */
export function batchFits({ batchSize, concurrency, requestsPerSecond }: Pace): boolean {
  return (batchSize * concurrency) / requestsPerSecond <= LONGEST_BATCH_SECONDS;
}

/** The first round of a run must have ended before the run of the next day begins. */
export function runFits(pace: Pace): boolean {
  return firstRoundSeconds(pace) <= DAY_SECONDS;
}

/** What bounds one try of each state that invokes a function. */
export const STATE_SECONDS = {
  symbolUpdaterTimeoutSeconds: FUNCTION_SECONDS["symbol-updater"] + STATE_MARGIN_SECONDS,
  batchFetcherTimeoutSeconds: FUNCTION_SECONDS["batch-fetcher"] + STATE_MARGIN_SECONDS,
  runSummaryTimeoutSeconds: FUNCTION_SECONDS["run-summary"] + STATE_MARGIN_SECONDS,
} as const;

/**
 * What bounds a run: its first round, the further ones with their waits, and never more than a day. A run that is cut off
 * is taken up by the next one.
 */
export function runTimeoutSeconds(pace: Omit<Pace, "requestsPerSecond">): number {
  const { batchFetcherTimeoutSeconds, runSummaryTimeoutSeconds } = STATE_SECONDS;
  const round = wavesOf(pace) * batchFetcherTimeoutSeconds + runSummaryTimeoutSeconds;
  const further = REDRIVE_WAITS_SECONDS.reduce((total, wait) => total + wait + round, 0);
  return Math.min(DAY_SECONDS, firstRoundSeconds(pace) + further);
}

/** Every state in turn, each losing its function once, and as many waves of batches as symbols need. */
function firstRoundSeconds(pace: Omit<Pace, "requestsPerSecond">): number {
  const states = [
    STATE_SECONDS.symbolUpdaterTimeoutSeconds,
    ...Array.from({ length: wavesOf(pace) }, () => STATE_SECONDS.batchFetcherTimeoutSeconds),
    STATE_SECONDS.runSummaryTimeoutSeconds,
  ];
  return states.reduce((total, seconds) => total + TRIES * seconds + RETRY_WAIT_SECONDS, 0);
}

function wavesOf({ batchSize, concurrency }: Omit<Pace, "requestsPerSecond">): number {
  return Math.ceil(MOST_SYMBOLS / (batchSize * concurrency));
}
