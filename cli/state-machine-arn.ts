/** Names of a state machine and of its executions, and where they are looked at. */
import { InvalidArgumentError } from "commander";
import { type DateSpan, spanName } from "../domain/date-span.ts";

/** A state machine's ARN with its parts. */
export interface StateMachineArn {
  /** The whole ARN. */
  readonly arn: string;
  /** `aws`, `aws-cn` or `aws-us-gov`. */
  readonly partition: string;
  readonly region: string;
  readonly account: string;
  readonly name: string;
}

/** Step Functions allows more in names; what is left out would have to be quoted in a shell or an address. */
const ARN =
  /^arn:(aws(?:-cn|-us-gov)?):states:([a-z]{2}(?:-[a-z]+)+-\d{1,2}):(\d{12}):stateMachine:([A-Za-z0-9_.-]{1,80})$/;

const CONSOLES: Readonly<Record<string, string>> = {
  "aws-cn": "console.amazonaws.cn",
  "aws-us-gov": "console.amazonaws-us-gov.com",
};

/** Parses `--state-machine`. */
export function stateMachineArgument(text: string): StateMachineArn {
  const [arn, partition, region, account, name] = ARN.exec(text) ?? [];
  if (
    arn === undefined ||
    partition === undefined ||
    region === undefined ||
    account === undefined ||
    name === undefined
  ) {
    throw new InvalidArgumentError(
      "Allowed is the unqualified ARN of a state machine in partition aws, aws-cn or aws-us-gov, as arn:aws:states:REGION:ACCOUNT:stateMachine:NAME.",
    );
  }
  return { arn, partition, region, account, name };
}

/**
 * The name of a date's execution: `run-2024-05-31`. The service keeps names apart, so that one date is not
 * started twice by accident.
 * @param againAt instant in milliseconds since 1970 that sets a further execution apart: `run-2024-05-31-20240531T093000Z`.
 */
export function executionName(date: string, againAt?: number): string {
  return againName(`run-${date}`, againAt);
}

/** The name of a backfill's execution, in the same way: `backfill-2016-01-04_2026-11-20`. */
export function backfillExecutionName(span: DateSpan, againAt?: number): string {
  return againName(`backfill-${spanName(span)}`, againAt);
}

function againName(name: string, againAt: number | undefined): string {
  if (againAt === undefined) return name;
  return `${name}-${new Date(againAt).toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
}

/** The ARN of a state machine's execution with a name. */
export function executionArn({ partition, region, account, name }: StateMachineArn, execution: string): string {
  return `arn:${partition}:states:${region}:${account}:execution:${name}:${execution}`;
}

/** Where the console shows an execution. */
export function consoleAddress({ partition, region }: StateMachineArn, execution: string): string {
  const host = `${region}.${CONSOLES[partition] ?? "console.aws.amazon.com"}`;
  return `https://${host}/states/home?region=${region}#/v2/executions/details/${execution}`;
}
