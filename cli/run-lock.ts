import { randomUUID } from "node:crypto";
import { messageOf } from "../domain/errors.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import type { Logger } from "../lambdas/runtime/logger.ts";
import { releaseRunLocks, renewRunLocks, takeRunLocks } from "../lambdas/runtime/run-lock.ts";
import type { Terminal } from "./terminal.ts";

/** A process that gives no sign of life for so long has lost its date, in milliseconds. */
const EXPIRES_AFTER_MS = 60_000;

/** Between two signs of life: a store may fail some of them before the lock is lost. */
const RENEW_EVERY_MS = EXPIRES_AFTER_MS / 6;

/**
 * Does the work while this process holds the locks on its dates, or on the span of a backfill by its name. A run that was killed on this machine is known to be dead
 * by its process; one on another machine after a minute.
 * @param work gets the name of the run, in which the lock is held.
 * @throws RunUnderWayError where another run has one of the dates, before any work.
 */
export async function withRunLock<Result>(
  { store, dates, logger }: { store: ObjectStore; dates: readonly string[]; logger: Logger },
  { clock, process: own }: Pick<Terminal, "clock" | "process">,
  work: (run: string) => Promise<Result>,
): Promise<Result> {
  const run = randomUUID();
  const owner = { run, process: { host: own.host, pid: own.pid } };
  await takeRunLocks(store, dates, owner, {
    clock,
    expiresAfterMs: EXPIRES_AFTER_MS,
    // A lock of our own process's number was left by a dead one that had it before.
    isDead: ({ host, pid }) => host === own.host && (pid === own.pid || !own.isAlive(pid)),
  });
  const renewing = setInterval(() => {
    renewRunLocks(store, dates, run, clock).catch((error: unknown) => logger.warn(messageOf(error)));
  }, RENEW_EVERY_MS);
  try {
    return await work(run);
  } finally {
    clearInterval(renewing);
    await releaseRunLocks(store, dates, run, clock).catch((error: unknown) => logger.warn(messageOf(error)));
  }
}
