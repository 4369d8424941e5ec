/** The engines that can be measured here: nodejs-polars is no dependency, and is installed for the bench alone. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import * as z from "zod";
import { InvalidInputError, messageOf } from "../domain/errors.ts";
import { READ_ENGINES, type ReadEngine } from "./reads-job.ts";

const POLARS = "nodejs-polars@0.26.1";
const run = promisify(execFile);

/**
 * Installs nodejs-polars into a folder for temporary files, where it is not there from the last time.
 * @returns the folder, or null where it cannot be had.
 */
export async function installPolars(say: (text: string) => void): Promise<string | null> {
  const folder = join(tmpdir(), `asx-eod-bench-${POLARS}`);
  if (isLoadable(folder)) return folder;
  say(`installing ${POLARS} into ${folder}`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "package.json"), JSON.stringify({ private: true }));
    // npm leaves out native parts that are not for the Node it runs on, so that must be this one.
    const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}` };
    await run("npm", ["install", "--save-exact", POLARS], { cwd: folder, env });
    if (!isLoadable(folder)) throw new Error("it has no native part for this machine");
    return folder;
  } catch (error) {
    say(`${POLARS} cannot be installed, its column is left out: ${messageOf(error)}`);
    return null;
  }
}

/** The engines asked for, without those that are not here. */
export function usableEngines(asked: readonly string[], hasPolars: boolean): readonly ReadEngine[] {
  const unknown = asked.find((name) => !READ_ENGINES.some((engine) => engine === name));
  if (unknown !== undefined) throw new InvalidInputError(`no engine is named ${unknown}: ${READ_ENGINES.join(", ")}`);
  return READ_ENGINES.filter((engine) => asked.includes(engine) && (engine !== "nodejs-polars" || hasPolars));
}

const packageFile = z.object({ version: z.string() });

/** The installed version of a package. */
export function versionOf(name: string, folder: string): string {
  const path = join(folder, "node_modules", name, "package.json");
  return packageFile.parse(JSON.parse(readFileSync(path, "utf8"))).version;
}

function isLoadable(folder: string): boolean {
  if (!existsSync(join(folder, "node_modules"))) return false;
  try {
    createRequire(join(folder, "package.json"))("nodejs-polars");
    return true;
  } catch {
    return false;
  }
}
