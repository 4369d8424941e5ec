import { AsxEodError, messageOf } from "../domain/errors.ts";
import { parseDigest, parseJson } from "./execution-history.ts";
import { describeEnd, hasEnded } from "./follow-execution.ts";
import type { RunInput } from "./run-input.ts";
import type { StartedExecution, StateMachineClient } from "./state-machine-client.ts";
import { ExecutionExistsError } from "./state-machine-errors.ts";

/**
 * Starts an execution, or finds the running one of the same name and input.
 * @param arn the ARN that an execution of the name has.
 * @throws ExecutionExistsError that tells which execution is in the way, how it stands and what to do.
 */
export async function startOnce(
  client: StateMachineClient,
  name: string,
  input: RunInput,
  arn: string,
): Promise<StartedExecution> {
  try {
    return await client.start(name, input);
  } catch (error) {
    if (!(error instanceof ExecutionExistsError)) throw error;
    throw new ExecutionExistsError(await describeExisting(client, name, arn), { cause: error });
  }
}

async function describeExisting(client: StateMachineClient, name: string, arn: string): Promise<string> {
  try {
    const state = await client.describe(arn);
    const since = new Date(state.startDate).toISOString();
    if (!hasEnded(state)) {
      return `${name} runs since ${since} with another input, ${state.input}: ${arn}. Let it end; then --again starts another`;
    }
    const digest = parseDigest(parseJson(state.output ?? ""));
    const how = digest === undefined ? describeEnd(state) : `${state.status}: ${digest.message}`;
    return `${name} was started at ${since} and has ended ${how} (${arn}). Start another with --again`;
  } catch (error) {
    if (!(error instanceof AsxEodError)) throw error;
    return `${name} exists already: ${arn}; ${messageOf(error)}. Start another with --again`;
  }
}
