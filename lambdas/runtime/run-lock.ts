import { randomUUID } from "node:crypto";
import * as z from "zod";
import { RunUnderWayError, StoreConflictError } from "../../domain/errors.ts";
import { runLockKey } from "../../domain/object-keys.ts";
import type { ObjectStore, VersionedObject } from "../../domain/object-store.ts";
import type { Clock } from "./clock.ts";

/** A lock that is not renewed for so long has lost its owner, in milliseconds. */
export const RUN_LOCK_EXPIRES_MS = 60_000;

/** Tries to take a lock beside others that want it, and the wait between two, in milliseconds. */
const TRIES = 5;
const WAIT_MS = 50;

/** A process that runs a date. */
export interface RunOwner {
  readonly host: string;
  readonly pid: number;
}

/** The lock on a date, held. */
export interface RunLock {
  /** Says that the owner is alive. Throws a RunUnderWayError where another run has taken the date over. */
  renew(): Promise<void>;
  /** Lets the next run have the date. Where another has taken it over nothing is done. */
  release(): Promise<void>;
}

/** What taking a lock needs of its surroundings. */
export interface RunLockOptions {
  readonly clock: Clock;
  /** Whether an owner is known to live no more: its lock is taken over before it expires. */
  readonly isDead: (owner: RunOwner) => boolean;
}

const lockForm = z.object({
  /** Of this one run: a process can run a date twice. */
  run: z.string(),
  host: z.string(),
  pid: z.number().int(),
  takenAt: z.iso.datetime(),
  /** In the past for a lock that was released. */
  expiresAt: z.iso.datetime(),
});
type LockFile = z.infer<typeof lockForm>;

/**
 * Takes the lock on a date, `runs/DATE.lock`, by conditional writes: of several runs one gets it.
 * @throws RunUnderWayError where a run holds it that is not known to be dead.
 */
export async function takeRunLock(
  store: ObjectStore,
  date: string,
  owner: RunOwner,
  { clock, isDead }: RunLockOptions,
): Promise<RunLock> {
  const key = runLockKey(date);
  const run = randomUUID();
  const takenAt = new Date(clock.now()).toISOString();

  function write(expiresAt: number, version: string | undefined): Promise<void> {
    const file: LockFile = { run, ...owner, takenAt, expiresAt: new Date(expiresAt).toISOString() };
    return store.replace(key, new TextEncoder().encode(`${JSON.stringify(file)}\n`), version);
  }

  /** The version of our own lock; undefined where another run has it. */
  async function ownVersion(): Promise<string | undefined> {
    const stored = await store.read(key);
    return stored !== undefined && parseLock(stored)?.run === run ? stored.version : undefined;
  }

  for (let tries = 1; ; tries += 1) {
    const stored = await store.read(key);
    const other = stored === undefined ? undefined : parseLock(stored);
    if (other !== undefined && Date.parse(other.expiresAt) > clock.now() && !isDead(other)) {
      throw new RunUnderWayError(
        `${date} is being run by process ${other.pid} on ${other.host} since ${other.takenAt}; ` +
          `wait for it to end, or run the date again after ${other.expiresAt} if it has died`,
      );
    }
    try {
      await write(clock.now() + RUN_LOCK_EXPIRES_MS, stored?.version);
      break;
    } catch (error) {
      if (!(error instanceof StoreConflictError) || tries === TRIES) throw error;
      await clock.sleep(WAIT_MS);
    }
  }

  return {
    async renew() {
      const version = await ownVersion();
      if (version === undefined) {
        throw new RunUnderWayError(`another run has taken ${date} over, as this one was silent for too long`);
      }
      await write(clock.now() + RUN_LOCK_EXPIRES_MS, version);
    },
    async release() {
      const version = await ownVersion();
      if (version !== undefined) await write(clock.now(), version);
    },
  };
}

/** What cannot be read as a lock holds nothing. */
function parseLock({ bytes }: VersionedObject): LockFile | undefined {
  try {
    return lockForm.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data;
  } catch {
    return undefined;
  }
}
