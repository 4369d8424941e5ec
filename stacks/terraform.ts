/** `npm run deploy`, `diff` and `destroy`: synthesises, then lets Terraform or OpenTofu do the work. */
import { spawn, spawnSync } from "node:child_process";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InvalidInputError } from "../domain/errors.ts";
import { codeOf } from "../stores/error-code.ts";
import { runScript } from "./script.ts";
import { synthesise } from "./synthesise.ts";

/** What Terraform is asked to do, by the name of the script that asks. */
const COMMANDS = ["apply", "plan", "destroy"];

/** The variable by which CDKTF's own CLI takes another binary, too. */
const BINARY_VARIABLE = "TERRAFORM_BINARY_NAME";

/** Terraform's record of the provider's build. The folder of the stack is made anew, so it is kept beside package.json. */
const LOCK_FILE = ".terraform.lock.hcl";
const KEPT_LOCK_FILE = fileURLToPath(new URL(`../${LOCK_FILE}`, import.meta.url));

await runScript("terraform", async ([command = "", ...options]) => {
  if (!COMMANDS.includes(command)) {
    throw new InvalidInputError(`${JSON.stringify(command)} is no command; allowed are ${COMMANDS.join(", ")}`);
  }
  const binary = findBinary();
  const { folder, remarks } = await synthesise(process.env);
  process.stdout.write(`${remarks.join("\n")}\n`);
  const lockFile = join(folder, LOCK_FILE);
  await copyWhereThere(KEPT_LOCK_FILE, lockFile);
  process.exitCode = await run(binary, [`-chdir=${folder}`, "init", "-input=false"]);
  if (process.exitCode !== 0) return;
  await copyWhereThere(lockFile, KEPT_LOCK_FILE);
  process.exitCode = await run(binary, [`-chdir=${folder}`, command, ...options]);
});

/** The Terraform or OpenTofu of this machine. */
function findBinary(): string {
  const named = process.env[BINARY_VARIABLE];
  const candidates = named === undefined ? ["terraform", "tofu"] : [named];
  const found = candidates.find((binary) => spawnSync(binary, ["version"], { stdio: "ignore" }).status === 0);
  if (found !== undefined) return found;
  throw new InvalidInputError(
    `no ${candidates.join(" and no ")} runs on this machine; install Terraform or OpenTofu, or name its binary in ${BINARY_VARIABLE}`,
  );
}

async function copyWhereThere(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
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
