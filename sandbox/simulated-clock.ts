import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../lambdas/runtime/clock.ts";

/**
 * Turns of the event loop without a call of the clock after which everything counts as at rest. Promises need one;
 * streams and event emitters put a few in a row.
 */
const QUIET_TURNS = 3;
const MOST_STEPS = 10_000_000;

/** A clock whose time passes only while it runs something, and only when all of that is waiting for it. */
export interface SimulatedClock extends Clock {
  /**
   * Starts work and lets time pass until it has ended: whenever everything is at rest, time jumps to the earliest sleep
   * or action. What waits for anything but this clock and the event loop (a socket, a file, a thread) is not waited for.
   * @throws the work's error, or one that says so where the work waits for ever or takes more steps than allowed.
   */
  run<Result>(work: () => Promise<Result>): Promise<Result>;
}

/** Something to be called at a time; undefined once it was called or called off. */
interface Timer {
  readonly at: number;
  /** The order in which timers were handed in, which decides between those of one time. */
  readonly order: number;
  action: (() => void) | undefined;
}

/**
 * A clock for simulations: the same work always sees the same times, and hours take milliseconds.
 * @param startMs milliseconds since 1970 UTC.
 * @param mostSteps timers that one run may call before it counts as endless.
 */
export function createSimulatedClock(startMs: number, mostSteps: number = MOST_STEPS): SimulatedClock {
  const timers = createTimerHeap();
  let now = startMs;
  let calls = 0;
  let isRunning = false;

  function after(ms: number, action: () => void): () => void {
    calls += 1;
    const timer: Timer = { at: now + Math.max(0, ms), order: calls, action };
    timers.push(timer);
    return () => {
      calls += 1;
      timer.action = undefined;
    };
  }

  async function rest(): Promise<void> {
    let seen = calls;
    for (let quiet = 0; quiet < QUIET_TURNS; quiet += 1) {
      await nextTurn();
      if (calls !== seen) quiet = -1;
      seen = calls;
    }
  }

  /** Calls the earliest timer that is not called off, at its time. Says whether there was one. */
  function step(): boolean {
    for (let timer = timers.pop(); timer !== undefined; timer = timers.pop()) {
      const { action, at } = timer;
      if (action === undefined) continue;
      timer.action = undefined;
      now = at;
      action();
      return true;
    }
    return false;
  }

  return {
    now: () => {
      calls += 1;
      return now;
    },
    sleep: (ms) => new Promise((resolve) => after(ms, resolve)),
    after,
    async run(work) {
      if (isRunning) throw new Error("the simulated clock runs something already; it runs one thing at a time");
      isRunning = true;
      try {
        const working = work();
        let hasEnded = false;
        const end = () => {
          hasEnded = true;
        };
        working.then(end, end);
        for (let steps = 0; ; steps += 1) {
          await rest();
          if (hasEnded) return await working;
          if (steps === mostSteps)
            throw new Error(`the work has not ended after ${mostSteps} timers of simulated time`);
          if (!step()) {
            throw new Error(
              `the work waits for ever: nothing is to happen after ${new Date(now).toISOString()} of simulated time`,
            );
          }
        }
      } finally {
        isRunning = false;
      }
    },
  };
}

/** Timers, the earliest first: a binary heap, as a simulation has many and calls most of them off. */
function createTimerHeap() {
  const heap: Timer[] = [];

  function isEarlier(left: number, right: number): boolean {
    const [first, second] = [heap[left], heap[right]];
    if (first === undefined || second === undefined) return first !== undefined;
    return first.at < second.at || (first.at === second.at && first.order < second.order);
  }

  function swap(left: number, right: number): void {
    const [first, second] = [heap[left], heap[right]];
    if (first === undefined || second === undefined) return;
    heap[left] = second;
    heap[right] = first;
  }

  return {
    push(timer: Timer): void {
      let place = heap.push(timer) - 1;
      while (place > 0) {
        const parent = (place - 1) >> 1;
        if (!isEarlier(place, parent)) return;
        swap(place, parent);
        place = parent;
      }
    },
    pop(): Timer | undefined {
      swap(0, heap.length - 1);
      const earliest = heap.pop();
      for (let place = 0; ; ) {
        const left = 2 * place + 1;
        const child = isEarlier(left + 1, left) ? left + 1 : left;
        if (!isEarlier(child, place)) return earliest;
        swap(child, place);
        place = child;
      }
    },
  };
}
