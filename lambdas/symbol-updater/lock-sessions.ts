import { messageOf, RunUnderWayError } from "../../domain/errors.ts";
import { EXECUTION_LOCK_EXPIRES_MS, releaseRunLocks, takeRunLock } from "../runtime/run-lock.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** The sessions of a run that it has for itself. */
interface LockedSessions {
  /** Ascending; the run's own date is among them. */
  readonly taken: readonly string[];
  /** Those that other runs have. */
  readonly left: ReadonlySet<string>;
  readonly warnings: readonly string[];
}

/**
 * Takes the locks of a run. A session before its date that another run has is left to that: it is no reason to leave all
 * others as they are.
 * @throws RunUnderWayError where another run has the date itself.
 */
export async function lockSessions(
  sessions: readonly string[],
  { date, run }: { readonly date: string; readonly run: string },
  { store, clock }: Pick<Runtime, "store" | "clock">,
): Promise<LockedSessions> {
  const lock = { clock, expiresAfterMs: EXECUTION_LOCK_EXPIRES_MS };
  const left = new Map<string, string>();
  await takeRunLock(store, date, { run }, lock);
  const taken = [date];
  for (const session of sessions.filter((other) => other !== date)) {
    try {
      await takeRunLock(store, session, { run }, lock);
      taken.push(session);
    } catch (error) {
      if (error instanceof RunUnderWayError) {
        left.set(session, `${session} is left to the run that has it: ${messageOf(error)}`);
        continue;
      }
      await releaseRunLocks(store, taken, run, clock);
      throw error;
    }
  }
  return { taken: taken.sort(), left: new Set(left.keys()), warnings: [...left.values()] };
}
