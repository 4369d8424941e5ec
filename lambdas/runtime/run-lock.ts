import * as z from "zod";
import { RunUnderWayError, StoreConflictError } from "../../domain/errors.ts";
import { lockKey } from "../../domain/object-keys.ts";
import type { ObjectStore, VersionedObject } from "../../domain/object-store.ts";
import type { Clock } from "./clock.ts";

/**
 * How long an execution holds a date after its last sign of life, in milliseconds: each of its batches gives one at its
 * beginning, and none takes longer than half of this, with the waits before it is tried again.
 */
export const EXECUTION_LOCK_EXPIRES_MS = 1_800_000;

/** Tries to write a lock beside others that write it, and the wait between two, in milliseconds. */
const TRIES = 8;
const WAIT_MS = 50;

/** A lock with so much of its time left is not written again: workers of one run need not race for it. */
const FRESH_SHARE = 0.9;

/** Who runs a date. */
export interface RunOwner {
  /** Of this one run, and of all workers that belong to it. */
  readonly run: string;
  /** The process that does all of the work, where one does. */
  readonly process?: RunProcess | undefined;
}

/** A process on a machine. */
export interface RunProcess {
  readonly host: string;
  readonly pid: number;
}

/** What taking a lock needs of its surroundings. */
export interface RunLockOptions {
  readonly clock: Clock;
  /** How long the lock holds after each sign of life, in milliseconds. */
  readonly expiresAfterMs: number;
  /** Whether a process is known to live no more: its lock is taken over before it expires. */
  readonly isDead?: (owner: RunProcess) => boolean;
}

/** Whose a released lock is: a worker of the run that had it, if one is left behind, does not get it back. */
const NOBODY = "";

const lockForm = z.object({
  run: z.string(),
  /** The run that let it go, where no other has taken it since. */
  releasedBy: z.string().optional(),
  process: z.object({ host: z.string(), pid: z.number().int() }).optional(),
  takenAt: z.iso.datetime(),
  /** In the past for a lock that was released. */
  expiresAt: z.iso.datetime(),
  expiresAfterMs: z.number().int().positive(),
});
type LockFile = z.infer<typeof lockForm>;

/*
 * What is locked is a trading date, `YYYY-MM-DD`, or the span of a backfill, `YYYY-MM-DD_YYYY-MM-DD`; both are called dates.
 */

/**
 * Takes the locks on all dates of a run, in their order; gives those back that it got where another run holds one.
 * @throws RunUnderWayError where another run holds one that is not known to be dead.
 */
export async function takeRunLocks(
  store: ObjectStore,
  dates: readonly string[],
  owner: RunOwner,
  options: RunLockOptions,
): Promise<void> {
  for (const [index, date] of dates.entries()) {
    try {
      await takeRunLock(store, date, owner, options);
    } catch (error) {
      await releaseRunLocks(store, dates.slice(0, index), owner.run, options.clock);
      throw error;
    }
  }
}

/** Says that a run is alive, on all of its dates. Throws a RunUnderWayError where another run has taken one over. */
export async function renewRunLocks(
  store: ObjectStore,
  dates: readonly string[],
  run: string,
  clock: Clock,
): Promise<void> {
  await Promise.all(dates.map((date) => renewRunLock(store, date, run, clock)));
}

/**
 * The same for what a run does last, which may be done again when it was done already: its own locks, which it has released
 * and nobody has taken since, are taken back. Where another run has one, the others are given up.
 * @throws RunUnderWayError where another run has taken a date over.
 */
export async function resumeRunLocks(
  store: ObjectStore,
  dates: readonly string[],
  run: string,
  clock: Clock,
): Promise<void> {
  try {
    for (const date of dates) {
      await changeLock(store, date, clock, (stored) => {
        if (stored?.run !== NOBODY || stored.releasedBy !== run)
          return renewed(stored, { date, run, now: clock.now() });
        const { releasedBy: _, ...lock } = stored;
        return { ...lock, run, expiresAt: instant(clock.now() + lock.expiresAfterMs) };
      });
    }
  } catch (error) {
    if (error instanceof RunUnderWayError) await releaseRunLocks(store, dates, run, clock);
    throw error;
  }
}

/** Lets the next run have the dates. */
export async function releaseRunLocks(
  store: ObjectStore,
  dates: readonly string[],
  run: string,
  clock: Clock,
): Promise<void> {
  await Promise.all(dates.map((date) => releaseRunLock(store, date, run, clock)));
}

/**
 * Takes the lock on a date, `runs/DATE.lock`, by conditional writes: of several runs one gets it. A run that holds it
 * already keeps it, as it took it.
 * @throws RunUnderWayError where another run holds it that is not known to be dead.
 */
export async function takeRunLock(
  store: ObjectStore,
  date: string,
  owner: RunOwner,
  { clock, expiresAfterMs, isDead = () => false }: RunLockOptions,
): Promise<void> {
  await changeLock(store, date, clock, (stored) => {
    const now = clock.now();
    if (stored?.run === owner.run) return { ...stored, expiresAt: instant(now + stored.expiresAfterMs) };
    if (stored !== undefined && Date.parse(stored.expiresAt) > now && !ownerHasDied(stored, isDead)) {
      throw new RunUnderWayError(describeHolder(stored, date));
    }
    return { ...owner, takenAt: instant(now), expiresAt: instant(now + expiresAfterMs), expiresAfterMs };
  });
}

/**
 * Says that a run is alive, for as long again as its lock was taken for.
 * @throws RunUnderWayError where another run has taken the date over.
 */
export async function renewRunLock(store: ObjectStore, date: string, run: string, clock: Clock): Promise<void> {
  await changeLock(store, date, clock, (stored) => renewed(stored, { date, run, now: clock.now() }));
}

/** The lock as it is to be, for as long again; undefined where it is fresh. */
function renewed(
  stored: LockFile | undefined,
  { date, run, now }: { date: string; run: string; now: number },
): LockFile | undefined {
  if (stored?.run !== run) {
    throw new RunUnderWayError(
      `another run has taken ${describeSubject(date)} over, as this one was silent for too long`,
    );
  }
  const { expiresAfterMs } = stored;
  const isFresh = Date.parse(stored.expiresAt) - now > expiresAfterMs * FRESH_SHARE;
  return isFresh ? undefined : { ...stored, expiresAt: instant(now + expiresAfterMs) };
}

/** Lets the next run have the date. Where another has taken it over nothing is done. */
export async function releaseRunLock(store: ObjectStore, date: string, run: string, clock: Clock): Promise<void> {
  await changeLock(store, date, clock, (stored) =>
    stored?.run === run ? { ...stored, run: NOBODY, releasedBy: run, expiresAt: instant(clock.now()) } : undefined,
  );
}

/**
 * Writes what a lock becomes, by what it is. Workers of one run write beside each other, so a lock that has changed
 * meanwhile is read again.
 * @param change the lock as it is to be; undefined where it may stay as it is.
 */
async function changeLock(
  store: ObjectStore,
  date: string,
  clock: Clock,
  change: (stored: LockFile | undefined) => LockFile | undefined,
): Promise<void> {
  const key = lockKey(date);
  for (let tries = 1; ; tries += 1) {
    const stored = await store.read(key);
    const changed = change(stored === undefined ? undefined : parseLock(stored));
    if (changed === undefined) return;
    try {
      await store.replace(key, new TextEncoder().encode(`${JSON.stringify(changed)}\n`), stored?.version);
      return;
    } catch (error) {
      if (!(error instanceof StoreConflictError) || tries === TRIES) throw error;
      await clock.sleep(WAIT_MS);
    }
  }
}

function ownerHasDied({ process }: LockFile, isDead: (owner: RunProcess) => boolean): boolean {
  return process !== undefined && isDead(process);
}

function isDate(subject: string): boolean {
  return !subject.includes("_");
}

/** A date, or a backfill by its span. */
function describeSubject(subject: string): string {
  return isDate(subject) ? subject : `the backfill of ${subject.replace("_", " to ")}`;
}

function describeHolder({ run, process, takenAt, expiresAt }: LockFile, date: string): string {
  const holder = process === undefined ? `the execution ${run}` : `process ${process.pid} on ${process.host}`;
  return (
    `${describeSubject(date)} is being run by ${holder} since ${takenAt}; ` +
    `wait for it to end, or run ${isDate(date) ? "the date" : "it"} again after ${expiresAt} if it has died`
  );
}

/** What cannot be read as a lock holds nothing. */
function parseLock({ bytes }: VersionedObject): LockFile | undefined {
  try {
    return lockForm.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data;
  } catch {
    return undefined;
  }
}

function instant(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
