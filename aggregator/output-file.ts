import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { link, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { InvalidInputError } from "../domain/errors.ts";
import { quote } from "../domain/text.ts";
import { codeOf } from "../stores/error-code.ts";

/** What happens to a file that is there already. */
export interface OutputOptions {
  /** Whether it is replaced; refused unless given. */
  readonly overwrite?: boolean | undefined;
}

/** Why a folder takes no file, as the system says it. */
const REFUSALS: Readonly<Record<string, string>> = {
  ENOENT: "its folder does not exist",
  ENOTDIR: "what should be its folder is none",
  EACCES: "its folder may not be written",
  EPERM: "its folder may not be written",
  EROFS: "the file system is read-only",
  ENAMETOOLONG: "its name is too long",
};

/** File systems that know no second name for a file. */
const NO_LINKS: ReadonlySet<string | undefined> = new Set(["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EMLINK"]);

/**
 * Writes a file that a person named, whole or not at all: under a temporary name beside it, renamed when it is whole.
 * What stands at the path stays as it was until then, and where the process ends meanwhile.
 * @param write is given the temporary path, of an empty file that is there.
 * @throws InvalidInputError, before anything is written, where the path is taken, is no file, or cannot be written.
 */
export async function writeOutputFile<Value>(
  path: string,
  { overwrite = false }: OutputOptions,
  write: (temporaryPath: string) => Promise<Value>,
): Promise<Value> {
  const target = await checkedTarget(path, overwrite);
  const temporaryPath = join(dirname(target), `.${basename(target).slice(0, 100)}.${randomUUID()}.tmp`);
  try {
    await (await open(temporaryPath, "wx")).close();
  } catch (cause) {
    const why = REFUSALS[codeOf(cause) ?? ""];
    if (why === undefined) throw cause;
    throw new InvalidInputError(`${quote(path)} cannot be written: ${why}; name another file`, { cause });
  }
  const remove = (): void => rmSync(temporaryPath, { force: true });
  process.once("exit", remove); // Ctrl-C, or a reader of the output that has gone
  try {
    const value = await write(temporaryPath);
    if (overwrite) await rename(temporaryPath, target);
    else await publishNew(temporaryPath, target, path);
    return value;
  } finally {
    process.off("exit", remove);
    // What failed is what is reported.
    await rm(temporaryPath, { force: true }).catch(() => undefined);
  }
}

/** The file that a path means, links followed: renaming would replace a link, or a device, by a file. */
async function checkedTarget(path: string, overwrite: boolean): Promise<string> {
  const absolute = resolve(path);
  try {
    const found = await stat(absolute);
    if (!found.isFile()) throw new InvalidInputError(`${quote(path)} is no file that can be replaced; name another`);
    if (!overwrite) throw taken(path);
    return await realpath(absolute);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return absolute;
    const why = REFUSALS[codeOf(error) ?? ""];
    if (why === undefined) throw error;
    throw new InvalidInputError(`${quote(path)} cannot be written: ${why}; name another file`, { cause: error });
  }
}

/** Gives the file its name unless another has it by now. */
async function publishNew(temporaryPath: string, target: string, path: string): Promise<void> {
  try {
    await link(temporaryPath, target);
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw taken(path);
    if (!NO_LINKS.has(codeOf(error))) throw error;
    await rename(temporaryPath, await checkedTarget(path, false));
  }
}

function taken(path: string): InvalidInputError {
  return new InvalidInputError(`${quote(path)} is there already; name another file, or set overwrite`);
}
