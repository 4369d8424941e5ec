import { Command } from "commander";
import { AsxEodError, messageOf } from "../domain/errors.ts";
import type { Clock } from "../lambdas/runtime/clock.ts";
import type { Logger } from "../lambdas/runtime/logger.ts";
import { fromOption, toOption } from "./backfill-input.ts";
import { type Display, openDisplay, tellOnInterrupt } from "./display.ts";
import { describeCommand, type ExecutionHints, executionHints } from "./execution-hints.ts";
import { parseDigest, parseJson } from "./execution-history.ts";
import {
  type ExecutionInput,
  type ExecutionInputOptions,
  executionInput,
  nameExecution,
  subjectOf,
} from "./execution-input.ts";
import { type ExecutionProgress, logExecution, showExecution } from "./execution-progress.ts";
import { reportExecution } from "./execution-report.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { type ExecutionEnd, followExecution } from "./follow-execution.ts";
import {
  acceptDirectoryOption,
  closuresOption,
  dateOption,
  daysOption,
  rereadOption,
  symbolsOption,
} from "./run-input.ts";
import { startOnce } from "./start-execution.ts";
import { executionArn, type StateMachineArn, stateMachineArgument } from "./state-machine-arn.ts";
import { createStateMachineClient, type StateMachineClient } from "./state-machine-client.ts";
import { ExecutionMissingError, StateMachineRefusedError } from "./state-machine-errors.ts";
import { type Terminal, writeLine } from "./terminal.ts";

interface ExecuteOptions extends ExecutionInputOptions {
  readonly stateMachine: StateMachineArn;
  readonly wait?: boolean;
  readonly again?: boolean;
  readonly json?: boolean;
}

/** An execution that is older than the request by so many milliseconds may have been there before it, where clocks agree. */
const OLDER_MS = 60_000;

const HELP = `
Examples:
  asx execute --state-machine ARN --wait             the last finished trading day, followed to its end
  asx execute --state-machine ARN --date 2024-05-31  start it, and say how to follow it
  asx execute --state-machine ARN --date 2024-05-31 --wait --json | jq .counts
  asx execute --state-machine ARN --date 2024-05-31 --again
  asx execute --state-machine ARN --catch-up --again --wait  what the last 30 days lack
  asx execute --state-machine ARN --backfill --from 2016-01-04 --wait   ARN is that of the backfill's state machine

ARN is arn:aws:states:REGION:ACCOUNT:stateMachine:NAME. The execution is named after the date, as
run-2024-05-31 or backfill-2016-01-04_2026-11-20, and a name is not started twice: with --wait the
execution of that name is followed, whether it runs or has ended, and --again starts another.
Where another execution has the date, as one of the schedule's, the started one leaves it to that.
Credentials are those of the AWS SDK; --wait reads the summary from the run's bucket.

Exit codes: 0 started, or with --wait complete or market closed, 2 partial, 1 failed or not started,
64 bad usage, 130 interrupted.`;

/** `asx execute`: the daily workflow, or a backfill, where they are deployed. */
export function executeCommand(terminal: Terminal): Command {
  return new Command("execute")
    .summary("run one trading day, or a backfill, in AWS")
    .description(
      "Starts an execution of the deployed state machine for a trading day, or with --backfill of the backfill's for a span of dates, and with --wait follows it to its end.",
    )
    .requiredOption("--state-machine <arn>", "ARN of the deployed state machine", stateMachineArgument)
    .addOption(dateOption())
    .option("--backfill", "fetch the past, from --from to --to, by the backfill's state machine")
    .addOption(fromOption())
    .addOption(toOption())
    .option("--wait", "follow the execution to its end and report what it came to")
    .option("--again", "start another execution of a date that has one already")
    .addOption(symbolsOption())
    .addOption(closuresOption())
    .addOption(acceptDirectoryOption())
    .option("--catch-up", "fill what the days up to the date lack, as asx catch-up does")
    .addOption(daysOption())
    .addOption(rereadOption())
    .option(
      "--json",
      "print the run summary (without --wait: the started execution) as JSON and nothing else on standard output",
    )
    .addHelpText("after", HELP)
    .action((options: ExecuteOptions) => execute(options, terminal));
}

async function execute(options: ExecuteOptions, terminal: Terminal): Promise<void> {
  const { stderr, clock, environment } = terminal;
  const { stateMachine: machine, wait = false, again = false, json = false } = options;
  const input = executionInput(options, terminal);
  const subject = subjectOf(input);
  const name = nameExecution(input, again ? clock.now() : undefined);
  const display = openDisplay(terminal, wait && !json);
  const starting = `interrupted; a start may have been accepted. Look with: ${describeCommand(machine, name)}`;
  const onInterrupt = tellOnInterrupt(terminal, display, starting);
  const client = createStateMachineClient(machine, environment, {
    clock,
    random: Math.random,
    onRetry: (error, _, delayMs) => display.logger.warn(`${messageOf(error)} in ${delayMs} ms`),
  });
  const storeUrl = again ? await lookAtFirst(client, machine, input, display.logger) : undefined;
  const { closures } = options;
  const hints = executionHints(machine, { name, input, closures, isAgain: again, storeUrl }, environment);
  const askedAt = clock.now();
  const started = await startOnce(client, { name, input, arn: hints.arn, takesEnded: wait, clock });
  const isOlder = !again && !started.hasEnded && askedAt - started.startedAt > OLDER_MS;
  const startedAt = new Date(started.startedAt).toISOString();
  const begun = `ASX ${subject}: ${name} started at ${startedAt}${isOlder ? " (it may have been running already)" : ""}`;
  if (!wait) {
    const of = "backfill" in input ? { backfill: input.backfill } : { date: input.date };
    const about = { executionArn: started.executionArn, name, ...of, startedAt };
    writeLine(terminal.stdout, json ? JSON.stringify(about) : announcement(begun, hints));
    return;
  }
  const hasEnded = `interrupted; the execution has ended. Look at it: ${hints.console}`;
  if (started.hasEnded) {
    onInterrupt(hasEnded);
    writeLine(stderr, `asx: nothing was started: ${name} has ended already; --again starts another`);
  } else {
    onInterrupt(`interrupted; the execution goes on. Follow it: ${hints.follow}`, `stop it: ${hints.stop}`);
  }
  if (display.line === undefined) display.logger.info(`${begun}, ${hints.arn}`);
  else writeLine(stderr, `${begun}. ${hints.console}`);
  let end: ExecutionEnd;
  try {
    end = await followExecution(client, started.executionArn, { clock, onStep: showSteps(display, clock) });
  } catch (error) {
    if (!(error instanceof AsxEodError)) throw error;
    display.stop();
    const stands = started.hasEnded ? "has ended" : "goes on";
    writeLine(stderr, `asx: ${messageOf(error)}. The execution ${stands}; follow it: ${hints.follow}`);
    terminal.exit(EXIT_CODES.failed);
    return;
  } finally {
    display.stop();
  }
  onInterrupt(hasEnded);
  await reportExecution({ end, input, hints, machine, asJson: json }, terminal);
}

/** A live line, or a log line a step. */
function showSteps({ line, logger }: Display, clock: Clock): ExecutionProgress {
  return line === undefined ? logExecution(logger) : showExecution(line, logger, clock);
}

/** Looks at the first execution of a date before another is started: warns where it runs, and gives the store that it named. */
async function lookAtFirst(
  client: StateMachineClient,
  machine: StateMachineArn,
  input: ExecutionInput,
  logger: Logger,
): Promise<string | undefined> {
  const name = nameExecution(input);
  try {
    const { status, startDate, output = "" } = await client.describe(executionArn(machine, name));
    if (status === "RUNNING") {
      const since = new Date(startDate).toISOString();
      logger.warn(`${name}, started at ${since}, is RUNNING: while it has the date, this one leaves it to that`);
    }
    return parseDigest(parseJson(output))?.storeUrl;
  } catch (error) {
    if (error instanceof ExecutionMissingError) return undefined;
    if (!(error instanceof StateMachineRefusedError)) throw error;
    logger.warn(`whether ${name} is running is not known: ${messageOf(error)}`);
    return undefined;
  }
}

/** Tells of an execution that is not waited for. */
function announcement(begun: string, hints: ExecutionHints): string {
  return [
    `${begun}.`,
    `Execution: ${hints.arn}`,
    `Console:   ${hints.console}`,
    `Follow:    ${hints.follow}`,
    `Stop:      ${hints.stop}`,
  ].join("\n");
}
