import { EXIT_CODES } from "../cli/exit-codes.ts";
import { InvalidInputError, messageOf } from "../domain/errors.ts";

/** Runs a script of package.json with its arguments. Errors end in a message and an exit code, never in a stack trace. */
export async function runScript(name: string, action: (args: readonly string[]) => Promise<void>): Promise<void> {
  try {
    await action(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${name}: ${messageOf(error)}\n`);
    process.exitCode = error instanceof InvalidInputError ? EXIT_CODES.usage : EXIT_CODES.failed;
  }
}
