import { reasonLeftToAnother } from "../domain/run-under-way.ts";
import { printable, shorten } from "../domain/text.ts";
import type { Clock } from "../lambdas/runtime/clock.ts";
import {
  createHistoryReader,
  type Digest,
  describeFailure,
  type ExecutionStep,
  isEnd,
  LONGEST_REASON,
  parseDigest,
  parseJson,
} from "./execution-history.ts";
import type { ExecutionState, StateMachineClient } from "./state-machine-client.ts";
import { ExecutionMissingError } from "./state-machine-errors.ts";

/** How an execution ended. */
export interface ExecutionEnd {
  /** What the run summary returned; undefined where the run broke off before it. */
  readonly digest: Digest | undefined;
  /** Why it left its date to another run, where it did. */
  readonly underWay?: string;
  /** Why it failed, timed out or was aborted; undefined where it succeeded. */
  readonly failure: string | undefined;
  /** When it started, in milliseconds since 1970. */
  readonly startedAt: number;
  /** Milliseconds from its start to its end. */
  readonly tookMs: number;
}

/** What following needs of its surroundings. */
export interface FollowOptions {
  readonly clock: Clock;
  /** Told of every step, and how many milliseconds before the newest event it happened. */
  readonly onStep: (step: ExecutionStep, agoMs: number) => void;
}

/** Between two looks. Two requests each: far below what Step Functions allows an account. */
const POLL_INTERVAL_MS = 2_500;

/** Looks at the history of an execution that has ended, until its last event is there: it can lag behind. */
const LATE_LOOKS = 4;

/** Looks at an execution that exists, until it is found: what is described lags behind what was started. */
const FIRST_LOOKS = 5;

/** Looks at an execution until it has ended, and tells what happens meanwhile. The execution's own time-out bounds it. */
export async function followExecution(
  client: StateMachineClient,
  executionArn: string,
  { clock, onStep }: FollowOptions,
): Promise<ExecutionEnd> {
  const read = createHistoryReader();
  let lastId = 0;
  let hasLastEvent = false;
  let lateLooks = 0;
  let digest: Digest | undefined;
  let givenUp: string | undefined;
  let state = await describeNew(client, executionArn, clock);
  let newestAt = state.startDate;
  for (;;) {
    const events = await client.eventsAfter(executionArn, lastId);
    newestAt = events.at(-1)?.timestamp ?? newestAt;
    for (const event of events) {
      lastId = event.id;
      hasLastEvent = isEnd(event);
      const step = read(event);
      if (step === undefined) continue;
      if (step.kind === "summary") digest = step.digest;
      if (step.kind === "givenUp") givenUp = `${step.state}: ${step.reason}`;
      onStep(step, newestAt - event.timestamp);
    }
    if (state.status !== "RUNNING") {
      if (hasLastEvent || lateLooks === LATE_LOOKS) {
        return {
          digest: digest ?? parseDigest(parseJson(state.output ?? "")),
          ...leftToAnother(state),
          failure: state.status === "SUCCEEDED" ? undefined : describeEnd(state, givenUp),
          startedAt: state.startDate,
          tookMs: (state.stopDate ?? newestAt) - state.startDate,
        };
      }
      lateLooks += 1;
    }
    await clock.sleep(POLL_INTERVAL_MS);
    state = await client.describe(executionArn);
  }
}

function leftToAnother({ output = "" }: ExecutionState): Pick<ExecutionEnd, "underWay"> {
  const underWay = reasonLeftToAnother(parseJson(output));
  return underWay === undefined ? {} : { underWay: shorten(printable(underWay), LONGEST_REASON) };
}

/** How an execution stands that is known to exist, although it may have been started a moment ago. */
export async function describeNew(
  client: StateMachineClient,
  executionArn: string,
  clock: Clock,
): Promise<ExecutionState> {
  for (let looks = 1; ; looks += 1) {
    try {
      return await client.describe(executionArn);
    } catch (error) {
      if (!(error instanceof ExecutionMissingError) || looks === FIRST_LOOKS) throw error;
    }
    await clock.sleep(POLL_INTERVAL_MS);
  }
}

/** The error under which an execution ended, and the one that led to it. */
export function describeEnd({ status, error, cause }: ExecutionState, givenUp?: string): string {
  const reason = error === undefined && cause === undefined ? "" : `: ${describeFailure({ error, cause })}`;
  return `${status}${reason}${givenUp === undefined ? "" : ` (${givenUp})`}`;
}
