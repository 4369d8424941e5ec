import type { Clock } from "../../lambdas/runtime/clock.ts";

/** A clock that stands still until somebody sleeps; sleeping takes no real time and is recorded. */
export interface TestClock extends Clock {
  readonly slept: number[];
  set(instant: string): void;
}

/** @param instant ISO 8601 with an offset, such as `2024-05-31T19:30:00+10:00`. */
export function createTestClock(instant: string): TestClock {
  let now = Date.parse(instant);
  const slept: number[] = [];
  return {
    slept,
    now: () => now,
    set: (to) => {
      now = Date.parse(to);
    },
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
    },
  };
}
