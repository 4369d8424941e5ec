/** What an execution is started with: a trading date for the daily state machine, or a span of dates for the backfill's. */
import type { BackfillEvent } from "../domain/backfill.ts";
import { InvalidInputError } from "../domain/errors.ts";
import { backfillInput } from "./backfill-input.ts";
import { type CatchUp, type RunInput, type RunInputOptions, runInput, USUAL_FILL_DAYS } from "./run-input.ts";
import { backfillExecutionName, executionName } from "./state-machine-arn.ts";
import type { Terminal } from "./terminal.ts";

/** The input of an execution. */
export type ExecutionInput = RunInput | BackfillEvent;

/** The options that say what an execution is to fetch. */
export interface ExecutionInputOptions extends RunInputOptions {
  /** Whether the state machine is that of the backfill. */
  readonly backfill?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly catchUp?: boolean;
  readonly days?: number;
  readonly reread?: boolean;
}

/**
 * The input that options ask for.
 * @throws InvalidInputError for options of a day and of a backfill together, and for dates that cannot be fetched.
 */
export function executionInput(
  { backfill, date, from, to, catchUp, days, reread, ...options }: ExecutionInputOptions,
  terminal: Pick<Terminal, "clock" | "environment">,
): ExecutionInput {
  const catchingUp = catchUpOf({ catchUp, days, reread });
  if (backfill !== true) {
    if (from !== undefined || to !== undefined) {
      throw new InvalidInputError("--from and --to go with --backfill; a single day is --date YYYY-MM-DD");
    }
    return runInput({ ...options, ...(date !== undefined && { date }) }, terminal, catchingUp);
  }
  if (date !== undefined)
    throw new InvalidInputError("--backfill fetches a span, --from D --to D; --date is of a single day");
  if (catchingUp !== undefined)
    throw new InvalidInputError("--catch-up is of the daily state machine; it does not go with --backfill");
  if (from === undefined) throw new InvalidInputError("--backfill needs --from D, the first trading date to fetch");
  return backfillInput({ ...options, from, ...(to !== undefined && { to }) }, terminal);
}

/** @throws InvalidInputError for options of catching up without `--catch-up`. */
function catchUpOf({
  catchUp,
  days,
  reread = false,
}: {
  readonly catchUp: boolean | undefined;
  readonly days: number | undefined;
  readonly reread: boolean | undefined;
}): CatchUp | undefined {
  if (catchUp === true) return { days: days ?? USUAL_FILL_DAYS, reread };
  if (days === undefined && !reread) return undefined;
  throw new InvalidInputError("--days and --reread say how to catch up; give --catch-up with them");
}

/** The name of the execution of an input: `run-2024-05-31`, or `backfill-2016-01-04_2026-11-20`. */
export function nameExecution(input: ExecutionInput, againAt?: number): string {
  return "backfill" in input ? backfillExecutionName(input.backfill, againAt) : executionName(input.date, againAt);
}

/** What an input is about, for a message: a date, or `2016-01-04 to 2026-11-20`. */
export function subjectOf(input: ExecutionInput): string {
  return "backfill" in input ? `${input.backfill.from} to ${input.backfill.to}` : input.date;
}
