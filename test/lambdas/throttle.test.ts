import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createThrottle } from "../../lambdas/runtime/throttle.ts";

describe("a throttle", () => {
  beforeEach(() => vi.useFakeTimers({ now: 1_000_000 }));
  afterEach(() => vi.useRealTimers());

  /** When each of so many operations started, in milliseconds from now. */
  async function startsOf(perSecond: number | null, operations: number): Promise<number[]> {
    const throttle = createThrottle(perSecond);
    const began = Date.now();
    const starts: number[] = [];
    const all = Promise.all(
      Array.from({ length: operations }, () => throttle(async () => starts.push(Date.now() - began))),
    );
    await vi.runAllTimersAsync();
    await all;
    return starts;
  }

  it("spaces starts evenly over the second", async () => {
    expect(await startsOf(4, 5)).toEqual([0, 250, 500, 750, 1000]);
  });

  it("spaces less than one start a second", async () => {
    expect(await startsOf(0.5, 3)).toEqual([0, 2000, 4000]);
  });

  it("never starts more than the rate in any second, whatever the rate", async () => {
    for (const rate of [0.3, 1, 3, 7, 50]) {
      const starts = await startsOf(rate, 60);
      for (const start of starts) {
        const within = starts.filter((other) => other >= start && other < start + 1000).length;
        expect(within).toBeLessThanOrEqual(Math.ceil(rate));
      }
    }
  });

  it("without a limit starts everything at once", async () => {
    expect(await startsOf(null, 3)).toEqual([0, 0, 0]);
  });
});
