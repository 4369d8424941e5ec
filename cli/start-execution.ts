import { isDeepStrictEqual } from "node:util";
import { AsxEodError, messageOf } from "../domain/errors.ts";
import { printable, shorten } from "../domain/text.ts";
import type { Clock } from "../lambdas/runtime/clock.ts";
import { parseDigest, parseJson } from "./execution-history.ts";
import type { ExecutionInput } from "./execution-input.ts";
import { describeEnd, describeNew } from "./follow-execution.ts";
import type { ExecutionState, StartedExecution, StateMachineClient } from "./state-machine-client.ts";
import { ExecutionExistsError } from "./state-machine-errors.ts";

/** What is to be started. */
export interface StartOptions {
  readonly name: string;
  readonly input: ExecutionInput;
  /** The ARN that an execution of the name has. */
  readonly arn: string;
  /** Whether one of the same input that has ended is as good as a new one: it can still be followed. */
  readonly takesEnded: boolean;
  readonly clock: Clock;
}

/** An execution that was started or found. */
export interface FoundExecution extends StartedExecution {
  /** Whether it had ended before. */
  readonly hasEnded: boolean;
}

/** The most characters of an input that a message shows. */
const LONGEST_INPUT = 200;

/**
 * Starts an execution, or finds the one of the same name and input.
 * @throws ExecutionExistsError that tells which execution is in the way, how it stands and what to do.
 */
export async function startOnce(client: StateMachineClient, options: StartOptions): Promise<FoundExecution> {
  const { name, input, arn, takesEnded } = options;
  try {
    return { ...(await client.start(name, input)), hasEnded: false };
  } catch (error) {
    if (!(error instanceof ExecutionExistsError)) throw error;
    const state = await describeExisting(client, options, error);
    // What is described can lag behind: an execution of this input that is in the way has ended, or is just about to.
    if (takesEnded && isSameInput(state, input)) {
      return { executionArn: arn, startedAt: state.startDate, hasEnded: state.status !== "RUNNING" };
    }
    throw new ExecutionExistsError(describeObstacle(state, options), { cause: error });
  }
}

async function describeExisting(
  client: StateMachineClient,
  { name, arn, clock }: StartOptions,
  cause: ExecutionExistsError,
): Promise<ExecutionState> {
  try {
    return await describeNew(client, arn, clock);
  } catch (error) {
    if (!(error instanceof AsxEodError)) throw error;
    const message = `${name} exists already: ${arn}; ${messageOf(error)}. Start another with --again`;
    throw new ExecutionExistsError(message, { cause });
  }
}

function describeObstacle(state: ExecutionState, { name, input, arn }: StartOptions): string {
  const isSame = isSameInput(state, input);
  const shown = shorten(printable(state.input ?? "which is not shown"), LONGEST_INPUT);
  const was = `${name} was started at ${new Date(state.startDate).toISOString()}${isSame ? "" : ` with another input, ${shown},`}`;
  if (state.status === "RUNNING" && isSame) {
    return `${was} and is running or has just ended (${arn}). Follow it with --wait, or start another with --again`;
  }
  if (state.status === "RUNNING") return `${was} and is running (${arn}). Let it end; then --again starts another`;
  const digest = parseDigest(parseJson(state.output ?? ""));
  const how = digest === undefined ? describeEnd(state) : `${state.status}: ${digest.message}`;
  return `${was} and has ended ${how} (${arn}). Start another with --again`;
}

/** Whether an execution was asked for the same, however its JSON was written. */
function isSameInput(state: ExecutionState, input: ExecutionInput): boolean {
  return isDeepStrictEqual(parseJson(state.input ?? ""), input);
}
