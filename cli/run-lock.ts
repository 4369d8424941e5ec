import { messageOf } from "../domain/errors.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import type { Logger } from "../lambdas/runtime/logger.ts";
import { RUN_LOCK_EXPIRES_MS, takeRunLock } from "../lambdas/runtime/run-lock.ts";
import type { Terminal } from "./terminal.ts";

/** Between two signs of life: a store may fail some of them before the lock is lost. */
const RENEW_EVERY_MS = RUN_LOCK_EXPIRES_MS / 6;

/**
 * Does the work while this process holds the lock on a date. A run that was killed on this machine is known to be dead
 * by its process; one on another machine after a minute.
 * @throws RunUnderWayError where another run has the date, before any work.
 */
export async function withRunLock<Result>(
  { store, date, logger }: { store: ObjectStore; date: string; logger: Logger },
  { clock, process: own }: Pick<Terminal, "clock" | "process">,
  work: () => Promise<Result>,
): Promise<Result> {
  const lock = await takeRunLock(store, date, own, {
    clock,
    // A lock of our own process's number was left by a dead one that had it before.
    isDead: ({ host, pid }) => host === own.host && (pid === own.pid || !own.isAlive(pid)),
  });
  const renewing = setInterval(() => {
    lock.renew().catch((error: unknown) => logger.warn(messageOf(error)));
  }, RENEW_EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(renewing);
    await lock.release().catch((error: unknown) => logger.warn(messageOf(error)));
  }
}
