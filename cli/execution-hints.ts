import type { Environment } from "../lambdas/runtime/runtime.ts";
import type { ExecutionInput } from "./execution-input.ts";
import { consoleAddress, executionArn, type StateMachineArn } from "./state-machine-arn.ts";

/** An execution, and how to look after it from a shell or a browser. */
export interface ExecutionHints {
  readonly arn: string;
  readonly console: string;
  /** A command that follows it. */
  readonly follow: string;
  /** A command that stops it. */
  readonly stop: string;
  /** A command that starts another for the same, and follows it. */
  readonly again: string;
}

/** What of an `asx execute` its hints repeat. */
export interface HintedExecution {
  readonly name: string;
  readonly input: ExecutionInput;
  readonly closures: readonly string[] | undefined;
  /** Whether it has a name of its own, which no `asx execute` can give again. */
  readonly isAgain: boolean;
  /** Address of the bucket of the runs, where it is known. */
  readonly storeUrl: string | undefined;
}

/** An address that a shell takes as it is. */
const PLAIN_BUCKET = /^s3:\/\/[\w./=-]+$/;

/** The hints of an execution. */
export function executionHints(
  machine: StateMachineArn,
  execution: HintedExecution,
  environment: Environment,
): ExecutionHints {
  const arn = executionArn(machine, execution.name);
  const start = ["npx asx execute --state-machine", machine.arn, ...optionsOf(execution)].join(" ");
  return {
    arn,
    again: `${start} --again --wait`,
    console: consoleAddress(machine, arn),
    follow: execution.isAgain ? followAgain(machine, execution, environment) : `${start} --wait`,
    stop: `aws stepfunctions stop-execution --execution-arn ${arn} --region ${machine.region}`,
  };
}

/** A command that says whether an execution was started and how it stands. */
export function describeCommand(machine: StateMachineArn, name: string): string {
  const arn = executionArn(machine, name);
  return `aws stepfunctions describe-execution --execution-arn ${arn} --region ${machine.region}`;
}

/** What `asx status` and `asx show` need before them in a shell where no region is set: they know no state machine. */
export function regionPrefix({ region }: StateMachineArn, environment: Environment): string {
  // AWS_DEFAULT_REGION is the AWS CLI's: the SDK does not read it.
  return environment["AWS_REGION"] === undefined ? `AWS_REGION=${region} ` : "";
}

function followAgain(
  machine: StateMachineArn,
  { name, input, storeUrl = "" }: HintedExecution,
  environment: Environment,
): string {
  if ("backfill" in input || !PLAIN_BUCKET.test(storeUrl)) return describeCommand(machine, name);
  return `${regionPrefix(machine, environment)}npx asx status --date ${input.date} --store ${storeUrl}`;
}

function optionsOf({ input, closures }: HintedExecution): string[] {
  const { symbols, acceptDirectory } = input;
  return [
    "backfill" in input ? `--backfill --from ${input.backfill.from} --to ${input.backfill.to}` : `--date ${input.date}`,
    ...(symbols === undefined ? [] : [`--symbols ${symbols.join(",")}`]),
    ...(closures === undefined ? [] : [`--closures ${closures.join(",")}`]),
    ...(acceptDirectory === true ? ["--accept-directory"] : []),
    ...("fillDays" in input && input.fillDays !== undefined ? [`--catch-up --days ${input.fillDays}`] : []),
    ...("catchUp" in input && input.catchUp === true ? ["--reread"] : []),
  ];
}
