import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { StoreConflictError } from "../domain/errors.ts";
import { codeOf } from "./error-code.ts";
import { isAlive } from "./live-process.ts";

/** A lock that is held. */
export interface FileLock {
  release(): Promise<void>;
}

/** A writer holds its lock for the milliseconds of one write; one that is so much older has died, wherever it ran. */
const DEAD_AFTER_MS = 30_000;

/**
 * Takes the lock on a file, a hidden file beside it that only one process can make. It is not waited for.
 * @throws StoreConflictError where another writer has it.
 */
export async function takeFileLock(path: string, now: () => number): Promise<FileLock> {
  const lockPath = join(dirname(path), `.${basename(path)}.lock`);
  const owner = `${hostname()} ${process.pid} ${randomUUID()}`;
  await mkdir(dirname(path), { recursive: true });
  for (;;) {
    if (await claim(lockPath, owner)) {
      return {
        async release() {
          // Where it was taken for dead and taken over, it is another's.
          if ((await ownerOf(lockPath)) === owner) await rm(lockPath, { force: true });
        },
      };
    }
    if (!(await removeDead(lockPath, now()))) {
      throw new StoreConflictError(`${path} is being written by another process; read it again`);
    }
  }
}

/** Makes the lock with its owner in it, at once or not at all: a lock without an owner could not be known to be dead. */
async function claim(lockPath: string, owner: string): Promise<boolean> {
  const own = `${lockPath}-${randomUUID()}`;
  try {
    await writeFile(own, owner, { flag: "wx" });
    await link(own, lockPath);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    if (!WITHOUT_LINKS.has(codeOf(error) ?? "")) throw error;
    return await claimWithoutLinks(lockPath, owner);
  } finally {
    await rm(own, { force: true });
  }
}

/** What file systems answer that have no hard links, such as those of memory cards. */
const WITHOUT_LINKS: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

async function claimWithoutLinks(lockPath: string, owner: string): Promise<boolean> {
  try {
    await writeFile(lockPath, owner, { flag: "wx" });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Removes a dead writer's lock. Gives whether the lock is free to be claimed. */
async function removeDead(lockPath: string, now: number): Promise<boolean> {
  const owner = await ownerOf(lockPath);
  const madeAt = await madeAtOf(lockPath);
  if (owner === undefined || madeAt === undefined) return true; // released meanwhile
  if (now - madeAt <= DEAD_AFTER_MS && !isKnownDead(owner)) return false;
  const aside = `${lockPath}-${randomUUID()}`;
  try {
    await rename(lockPath, aside);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return true;
    throw error;
  }
  // Another may have taken it over between the look and the rename: then it is put back.
  const isDead = (await ownerOf(aside)) === owner;
  if (!isDead) await link(aside, lockPath).catch(() => undefined);
  await rm(aside, { force: true });
  return isDead;
}

/** A process of this machine that lives no more. An owner that says nothing is about to. */
function isKnownDead(owner: string): boolean {
  const [host, pid = ""] = owner.split(" ");
  return host === hostname() && /^\d+$/.test(pid) && !isAlive(Number(pid));
}

async function ownerOf(lockPath: string): Promise<string | undefined> {
  try {
    return await readFile(lockPath, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function madeAtOf(lockPath: string): Promise<number | undefined> {
  try {
    return (await stat(lockPath)).mtimeMs;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
