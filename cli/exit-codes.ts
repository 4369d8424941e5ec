import type { RunStatus } from "../domain/run-summary.ts";

/** What the process ends with. */
export const EXIT_CODES = {
  /** Done; a run is complete, or the market was closed. */
  done: 0,
  /** Failed; a run has no bar, or broke off. */
  failed: 1,
  /** A run or a backfill is partial, or days or symbols are missing. */
  partial: 2,
  /** Bad usage (EX_USAGE of sysexits.h): nothing was done. */
  usage: 64,
  /** Stopped by Ctrl-C, as shells count it: 128 and the signal's number. */
  interrupted: 130,
} as const;

const STATUS_CODES: Record<RunStatus, number> = {
  complete: EXIT_CODES.done,
  "market-closed": EXIT_CODES.done,
  partial: EXIT_CODES.partial,
  failed: EXIT_CODES.failed,
};

/** The exit code of a run's status. */
export function exitCodeOf(status: RunStatus): number {
  return STATUS_CODES[status];
}
