import type { Clock } from "../../lambdas/runtime/clock.ts";

/**
 * A clock that stands still until somebody sleeps; sleeping takes no real time and is recorded. Actions whose time comes
 * meanwhile are called in the order of their times.
 */
export interface TestClock extends Clock {
  readonly slept: number[];
  /** Actions that are neither called nor called off. */
  readonly pending: number;
  /** Sets the time without calling anything. */
  set(instant: string): void;
}

/** @param instant ISO 8601 with an offset, such as `2024-05-31T19:30:00+10:00`. */
export function createTestClock(instant: string): TestClock {
  let now = Date.parse(instant);
  const slept: number[] = [];
  const actions = new Map<() => void, number>();

  /** The earliest action up to a time; of several at once the one that was handed in first. */
  function dueBy(time: number): [() => void, number] | undefined {
    let first: [() => void, number] | undefined;
    for (const [action, at] of actions) {
      if (at <= time && (first === undefined || at < first[1])) first = [action, at];
    }
    return first;
  }

  return {
    slept,
    get pending() {
      return actions.size;
    },
    now: () => now,
    set: (to) => {
      now = Date.parse(to);
    },
    sleep: async (ms) => {
      slept.push(ms);
      const until = now + ms;
      for (let due = dueBy(until); due !== undefined; due = dueBy(until)) {
        const [action, at] = due;
        actions.delete(action);
        now = Math.max(now, at);
        action();
      }
      now = Math.max(now, until);
    },
    after: (ms, action) => {
      const once = () => action();
      actions.set(once, now + ms);
      return () => void actions.delete(once);
    },
  };
}
