import { Command } from "commander";
import { AsxEodError, isTransient, messageOf } from "../domain/errors.ts";
import type { Logger } from "../lambdas/runtime/logger.ts";
import { type ExecutionHints, executionHints } from "./execution-hints.ts";
import { logExecution, showExecution } from "./execution-progress.ts";
import { reportExecution } from "./execution-report.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { type ExecutionEnd, followExecution } from "./follow-execution.ts";
import { createProgressLine } from "./progress-line.ts";
import {
  acceptDirectoryOption,
  closuresOption,
  dateOption,
  type RunInputOptions,
  runInput,
  symbolsOption,
} from "./run-input.ts";
import { startOnce } from "./start-execution.ts";
import { executionName, type StateMachineArn, stateMachineArgument } from "./state-machine-arn.ts";
import { createStateMachineClient, type StartedExecution } from "./state-machine-client.ts";
import { StateMachineRefusedError, StateMachineUnavailableError } from "./state-machine-errors.ts";
import { createStderrLogger, holdBack } from "./stderr-logger.ts";
import { type Terminal, writeLine } from "./terminal.ts";

interface ExecuteOptions extends RunInputOptions {
  readonly stateMachine: StateMachineArn;
  readonly wait?: boolean;
  readonly again?: boolean;
  readonly json?: boolean;
}

/** An execution that is older by so many milliseconds was running before it was asked for. Clocks differ by less. */
const RAN_BEFORE_MS = 60_000;

const HELP = `
Examples:
  asx execute --state-machine ARN --wait             the last finished trading day, followed to its end
  asx execute --state-machine ARN --date 2024-05-31  start it, and say how to follow it
  asx execute --state-machine ARN --date 2024-05-31 --wait --json | jq .counts
  asx execute --state-machine ARN --date 2024-05-31 --again

ARN is arn:aws:states:REGION:ACCOUNT:stateMachine:NAME. The execution is named after the date, as
run-2024-05-31: what runs is not started twice but followed, and what has ended is not started again
without --again. Credentials are those of the AWS SDK; --wait reads the summary from the run's bucket.

Exit codes: 0 started, or with --wait complete or market closed, 2 partial, 1 failed or not started,
64 bad usage, 130 interrupted.`;

/** `asx execute`: the daily workflow where it is deployed. */
export function executeCommand(terminal: Terminal): Command {
  return new Command("execute")
    .summary("run one trading day in AWS")
    .description(
      "Starts an execution of the deployed state machine for a trading day and, with --wait, follows it to its end.",
    )
    .requiredOption("--state-machine <arn>", "ARN of the deployed state machine", stateMachineArgument)
    .addOption(dateOption())
    .option("--wait", "follow the execution to its end and report what it came to")
    .option("--again", "start another execution of a date that has one already")
    .addOption(symbolsOption())
    .addOption(closuresOption())
    .addOption(acceptDirectoryOption())
    .option(
      "--json",
      "print the run summary (without --wait: the started execution) as JSON and nothing else on standard output",
    )
    .addHelpText("after", HELP)
    .action((options: ExecuteOptions) => execute(options, terminal));
}

async function execute(options: ExecuteOptions, terminal: Terminal): Promise<void> {
  const { stderr, clock } = terminal;
  const { stateMachine: machine, again = false, json = false } = options;
  const input = runInput(options, terminal);
  const name = executionName(input.date, again ? clock.now() : undefined);
  const hints = executionHints(machine, name, input, again);
  const showsProgress = terminal.interactive && options.wait === true && !json;
  const stderrLogger = createStderrLogger(stderr, clock);
  const held = showsProgress ? holdBack(stderrLogger) : undefined;
  const logger: Logger = held ?? stderrLogger;
  const client = createStateMachineClient(machine, terminal.environment, {
    clock,
    random: Math.random,
    onRetry: (error, _, delayMs) => logger.warn(`${messageOf(error)} in ${delayMs} ms`),
  });
  const askedAt = clock.now();
  const started = await startOnce(client, name, input, hints.arn);
  const ranBefore = askedAt - started.startedAt > RAN_BEFORE_MS;
  if (options.wait !== true) {
    announce({ name, date: input.date, ranBefore, started, hints, json }, terminal);
    return;
  }
  const begun = `ASX ${input.date}: ${name} ${ranBefore ? "runs since" : "started at"} ${instant(started.startedAt)}`;
  if (showsProgress) writeLine(stderr, `${begun}. ${hints.console}`);
  else logger.info(`${begun}, ${hints.arn}`);
  const progress = showsProgress ? showExecution(createProgressLine(terminal), logger, terminal) : logExecution(logger);
  void terminal.interrupted().then(() => {
    progress.stop();
    writeLine(stderr, `asx: interrupted; the execution goes on. Follow it: ${hints.follow}`);
    writeLine(stderr, `asx: stop it: ${hints.stop}`);
    terminal.quit(EXIT_CODES.interrupted);
  });
  let end: ExecutionEnd;
  try {
    end = await followExecution(client, started.executionArn, { clock, onStep: (step) => progress.onStep(step) });
  } catch (error) {
    if (!(error instanceof AsxEodError)) throw error;
    const Lost = isTransient(error) ? StateMachineUnavailableError : StateMachineRefusedError;
    throw new Lost(`${messageOf(error)}. The execution goes on; follow it: ${hints.follow}`, { cause: error });
  } finally {
    progress.stop();
    held?.release();
  }
  await reportExecution({ end, hints, region: machine.region, asJson: json }, terminal);
}

interface Announcement {
  readonly name: string;
  readonly date: string;
  readonly ranBefore: boolean;
  readonly started: StartedExecution;
  readonly hints: ExecutionHints;
  readonly json: boolean;
}

/** Tells of an execution that is not waited for. */
function announce({ name, date, ranBefore, started, hints, json }: Announcement, { stdout }: Terminal): void {
  const startedAt = instant(started.startedAt);
  if (json) {
    writeLine(stdout, JSON.stringify({ executionArn: started.executionArn, name, date, startedAt }));
    return;
  }
  writeLine(
    stdout,
    [
      `ASX ${date}: ${name} ${ranBefore ? "runs since" : "started at"} ${startedAt}${ranBefore ? "; nothing was started." : "."}`,
      `Execution: ${started.executionArn}`,
      `Console:   ${hints.console}`,
      `Follow:    ${hints.follow}`,
      `Stop:      ${hints.stop}`,
    ].join("\n"),
  );
}

function instant(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
