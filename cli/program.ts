import { Command, CommanderError } from "commander";
import { InvalidInputError } from "../domain/errors.ts";
import { printable, shorten } from "../domain/text.ts";
import { actionsCommand } from "./actions.ts";
import { backfillCommand } from "./backfill.ts";
import { catchUpCommand } from "./catch-up.ts";
import { inCommandTerms } from "./command-terms.ts";
import { compactCommand } from "./compact.ts";
import { executeCommand } from "./execute.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { listingsCommand } from "./listings.ts";
import { mergeCommand } from "./merge.ts";
import { missingCommand } from "./missing.ts";
import { queryCommand } from "./query.ts";
import { runCommand } from "./run.ts";
import { sandboxCommand } from "./sandbox.ts";
import { showCommand } from "./show.ts";
import { messageLines } from "./sql-position.ts";
import { statusCommand } from "./status.ts";
import { type Terminal, writeLine } from "./terminal.ts";

const HELP = `
Examples:
  asx run --source sandbox --store file:./sandbox-data   a whole day, offline
  asx run                                                the last finished trading day
  asx execute --state-machine ARN --wait                 the same where it is deployed
  asx status                                             how the newest date stands
  asx missing --from 2024-01-02                          which days are not whole, and how to mend them
  asx catch-up                                           what the last 30 days lack
  asx backfill --from 2016-01-04                         the past, one request a symbol; --plan says what it takes
  asx show --date 2024-05-31 --symbol BHP
  asx query "select count(*) from bars"
  asx compact                                            history into few large files, which read faster

Exit codes: 0 done, 1 failed, 2 a run is partial or days are missing, 64 bad usage, 130 interrupted.
Each command's --help says more.`;

/** The most characters of a message about what was typed. */
const LONGEST_ERROR = 500;

/** The `asx` command with all its verbs; it does nothing until it is given arguments. */
export function makeProgram(terminal: Terminal): Command {
  const program = new Command("asx")
    .description("Daily bars of every ASX-listed stock, as Parquet files you own.")
    .addHelpText("after", HELP);
  const commands = [
    runCommand(terminal),
    backfillCommand(terminal),
    executeCommand(terminal),
    catchUpCommand(terminal),
    statusCommand(terminal),
    showCommand(terminal),
    actionsCommand(terminal),
    queryCommand(terminal),
    missingCommand(terminal),
    listingsCommand(terminal),
    mergeCommand(terminal),
    compactCommand(terminal),
    sandboxCommand(terminal),
  ];
  for (const command of [program, ...commands]) {
    command
      .exitOverride()
      .showHelpAfterError("(--help shows what is allowed)")
      .configureOutput({
        writeOut: (text) => terminal.stdout.write(text),
        writeErr: (text) => terminal.stderr.write(text),
        getOutHelpWidth: () => 100,
        getErrHelpWidth: () => 100,
        // The message quotes what was typed.
        outputError: (text, write) => write(`${shorten(printable(text), LONGEST_ERROR)}\n`),
      });
  }
  for (const command of commands) program.addCommand(command);
  return program;
}

/** Runs the command line and sets the exit code; every error ends in a message, never in a stack trace. */
export async function runProgram(terminal: Terminal, args: readonly string[]): Promise<void> {
  try {
    await makeProgram(terminal).parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      terminal.exit(error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage);
      return;
    }
    writeLine(terminal.stderr, `asx: ${messageLines(error).map(inCommandTerms).join("\n")}`);
    terminal.exit(error instanceof InvalidInputError ? EXIT_CODES.usage : EXIT_CODES.failed);
  }
}
