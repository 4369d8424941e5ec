import type { Clock } from "../../lambdas/runtime/clock.ts";

/** Turns of the event loop after which work in this process is taken to wait for the clock. */
const TURNS = 40;

interface Timer {
  readonly at: number;
  readonly action: () => void;
}

/**
 * A clock that goes to the next time somebody waits for whenever the work in this process has come to rest, by itself: for
 * tests that also do real I/O, which no clock can wait for. Where there is none, the simulated clock is stricter.
 * @param instant ISO 8601 with an offset, such as `2024-05-31T19:30:00+10:00`.
 */
export function createDrivenClock(instant: string): Clock {
  let now = Date.parse(instant);
  let isDriving = false;
  const timers = new Set<Timer>();

  async function drive(): Promise<void> {
    isDriving = true;
    while (timers.size > 0) {
      for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      const [next] = [...timers].sort((left, right) => left.at - right.at);
      if (next === undefined) continue;
      timers.delete(next);
      now = Math.max(now, next.at);
      next.action();
    }
    isDriving = false;
  }

  function after(ms: number, action: () => void): () => void {
    const timer = { at: now + ms, action };
    timers.add(timer);
    if (!isDriving) void drive();
    return () => void timers.delete(timer);
  }

  return { now: () => now, after, sleep: (ms) => new Promise((resolve) => void after(ms, resolve)) };
}
