import type { RunDigest } from "../domain/run-summary.ts";
import type { Clock } from "../lambdas/runtime/clock.ts";
import {
  createHistoryReader,
  describeFailure,
  type ExecutionStep,
  isEnd,
  parseDigest,
  parseJson,
} from "./execution-history.ts";
import type { ExecutionState, StateMachineClient } from "./state-machine-client.ts";

/** How an execution ended. */
export interface ExecutionEnd {
  /** What the run summary returned; undefined where the run broke off before it. */
  readonly digest: RunDigest | undefined;
  /** Why it failed, timed out or was aborted; undefined where it succeeded. */
  readonly failure: string | undefined;
  /** Milliseconds from its start to its end. */
  readonly tookMs: number;
}

/** What following needs of its surroundings. */
export interface FollowOptions {
  readonly clock: Clock;
  readonly onStep: (step: ExecutionStep) => void;
}

/** Between two looks. Two requests each: far below what Step Functions allows an account. */
const POLL_INTERVAL_MS = 2_500;

/** Looks at the history of an execution that has ended, until its last event is there: it can lag behind. */
const LATE_LOOKS = 4;

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
  let digest: RunDigest | undefined;
  let givenUp: string | undefined;
  for (;;) {
    const state = await client.describe(executionArn);
    for (const event of await client.eventsAfter(executionArn, lastId)) {
      lastId = event.id;
      hasLastEvent = isEnd(event);
      const step = read(event);
      if (step === undefined) continue;
      if (step.kind === "summary") digest = step.digest;
      if (step.kind === "givenUp") givenUp = `${step.state}: ${step.reason}`;
      onStep(step);
    }
    if (hasEnded(state)) {
      if (hasLastEvent || lateLooks === LATE_LOOKS) {
        return {
          digest: digest ?? parseDigest(parseJson(state.output ?? "")),
          failure: state.status === "SUCCEEDED" ? undefined : describeEnd(state, givenUp),
          tookMs: (state.stopDate ?? clock.now()) - state.startDate,
        };
      }
      lateLooks += 1;
    }
    await clock.sleep(POLL_INTERVAL_MS);
  }
}

/** Whether an execution does nothing more. */
export function hasEnded({ status }: ExecutionState): boolean {
  return status !== "RUNNING" && status !== "PENDING_REDRIVE";
}

/** The error under which an execution ended, and the one that led to it. */
export function describeEnd({ status, error, cause }: ExecutionState, givenUp?: string): string {
  const reason = error === undefined && cause === undefined ? "" : `: ${describeFailure({ error, cause })}`;
  return `${status}${reason}${givenUp === undefined ? "" : ` (${givenUp})`}`;
}
