import type { RunInput } from "./run-input.ts";
import { consoleAddress, executionArn, type StateMachineArn } from "./state-machine-arn.ts";

/** An execution, and how to look after it from a shell or a browser. */
export interface ExecutionHints {
  readonly arn: string;
  readonly console: string;
  /** A command that follows it. */
  readonly follow: string;
  /** A command that stops it. */
  readonly stop: string;
}

/** @param isAgain whether it has a name of its own, which no `asx execute` can give again. */
export function executionHints(
  machine: StateMachineArn,
  name: string,
  input: RunInput,
  isAgain: boolean,
): ExecutionHints {
  const arn = executionArn(machine, name);
  const which = `--execution-arn ${arn} --region ${machine.region}`;
  return {
    arn,
    console: consoleAddress(machine, arn),
    follow: isAgain
      ? `aws stepfunctions describe-execution ${which}`
      : ["npx asx execute --state-machine", machine.arn, ...optionsOf(input), "--wait"].join(" "),
    stop: `aws stepfunctions stop-execution ${which}`,
  };
}

function optionsOf({ date, symbols, acceptDirectory }: RunInput): string[] {
  return [
    `--date ${date}`,
    ...(symbols === undefined ? [] : [`--symbols ${symbols.join(",")}`]),
    ...(acceptDirectory === true ? ["--accept-directory"] : []),
  ];
}
