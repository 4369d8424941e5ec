/** `npm run deploy`, `diff` and `destroy`: synthesises, then lets Terraform or OpenTofu do the work. */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { EXIT_CODES } from "../cli/exit-codes.ts";
import { InvalidInputError, messageOf } from "../domain/errors.ts";
import { stackName } from "./asx-eod-stack.ts";
import { synthesise } from "./synthesise.ts";

/** What Terraform is asked to do, by the name of the script that asks. */
const COMMANDS = ["apply", "plan", "destroy"];

/** The variable by which CDKTF's own CLI takes another binary, too. */
const BINARY_VARIABLE = "TERRAFORM_BINARY_NAME";

try {
  const [command = "", ...options] = process.argv.slice(2);
  if (!COMMANDS.includes(command)) {
    throw new InvalidInputError(`${JSON.stringify(command)} is no command; allowed are ${COMMANDS.join(", ")}`);
  }
  const binary = findBinary();
  const { stage, folder } = await synthesise(process.env);
  const stack = `-chdir=${join(folder, "stacks", stackName(stage))}`;
  const initialised = await run(binary, [stack, "init", "-input=false"]);
  process.exitCode = initialised === 0 ? await run(binary, [stack, command, ...options]) : initialised;
} catch (error) {
  process.stderr.write(`terraform: ${messageOf(error)}\n`);
  process.exitCode = error instanceof InvalidInputError ? EXIT_CODES.usage : EXIT_CODES.failed;
}

/** The Terraform or OpenTofu of this machine. */
function findBinary(): string {
  const named = process.env[BINARY_VARIABLE];
  const candidates = named === undefined ? ["terraform", "tofu"] : [named];
  const found = candidates.find((binary) => spawnSync(binary, ["version"], { stdio: "ignore" }).status === 0);
  if (found !== undefined) return found;
  throw new InvalidInputError(
    `neither of ${candidates.join(", ")} runs on this machine; install Terraform or OpenTofu, or name its binary in ${BINARY_VARIABLE}`,
  );
}

/** Runs a command on this terminal and gives its exit code. An interrupt is the command's to end by. */
function run(binary: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const ignore = (): void => undefined;
    process.on("SIGINT", ignore);
    spawn(binary, args, { stdio: "inherit" })
      .once("error", reject)
      .once("exit", (code) => {
        process.off("SIGINT", ignore);
        resolve(code ?? 1);
      });
  });
}
