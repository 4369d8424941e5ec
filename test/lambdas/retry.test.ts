import { describe, expect, it } from "vitest";
import { UpstreamRefusedError, UpstreamUnavailableError } from "../../domain/errors.ts";
import { type RetryPolicy, withRetry } from "../../lambdas/runtime/retry.ts";
import { createTestClock } from "../support/test-clock.ts";
import { EVENING } from "../support/test-runtime.ts";

const POLICY: RetryPolicy = { attempts: 5, firstDelayMs: 1_000, longestDelayMs: 3_000, longestRetryAfterMs: 60_000 };

/** An operation that fails with each of the errors in turn, and then succeeds. */
function failing(...errors: Error[]): { operation: () => Promise<string>; calls: () => number } {
  let calls = 0;
  return {
    calls: () => calls,
    operation: async () => {
      const error = errors[calls];
      calls += 1;
      if (error !== undefined) throw error;
      return "done";
    },
  };
}

const unavailable = (retryAfterMs?: number) => new UpstreamUnavailableError("HTTP 503", { retryAfterMs });

describe("a retried operation", () => {
  it("waits a random part of a doubled, bounded delay between tries", async () => {
    const clock = createTestClock(EVENING);
    const { operation } = failing(unavailable(), unavailable(), unavailable(), unavailable());
    await expect(withRetry(operation, POLICY, { clock, random: () => 0.5 })).resolves.toBe("done");
    expect(clock.slept).toEqual([500, 1_000, 1_500, 1_500]);
  });

  it("jitters over the whole range, from nothing to the full delay", async () => {
    for (const [chance, waited] of [
      [0, 0],
      [0.999, 999],
    ] as const) {
      const clock = createTestClock(EVENING);
      await withRetry(failing(unavailable()).operation, POLICY, { clock, random: () => chance });
      expect(clock.slept).toEqual([waited]);
    }
  });

  it("ends with the last error as it was thrown when the attempts are used up, without waiting for nothing", async () => {
    const clock = createTestClock(EVENING);
    const errors = [unavailable(), unavailable(), unavailable(), unavailable(), unavailable(), unavailable()];
    const { operation, calls } = failing(...errors);
    await expect(withRetry(operation, POLICY, { clock, random: () => 0 })).rejects.toBe(errors[4]);
    expect(calls()).toBe(5);
    expect(clock.slept).toHaveLength(4);
  });

  it.each([
    ["a terminal error", new UpstreamRefusedError("HTTP 403")],
    ["an error of another kind", new RangeError("a bug")],
  ])("ends at once with %s", async (_, error) => {
    const clock = createTestClock(EVENING);
    const { operation, calls } = failing(error);
    await expect(withRetry(operation, POLICY, { clock, random: () => 0 })).rejects.toBe(error);
    expect(calls()).toBe(1);
    expect(clock.slept).toEqual([]);
  });

  it("waits at least as long as Retry-After asks", async () => {
    const clock = createTestClock(EVENING);
    await withRetry(failing(unavailable(7_000)).operation, POLICY, { clock, random: () => 0.25 });
    expect(clock.slept).toEqual([7_250]);
  });

  it("ends at once where Retry-After asks for longer than it may wait", async () => {
    const clock = createTestClock(EVENING);
    const { operation, calls } = failing(unavailable(60_001));
    await expect(withRetry(operation, POLICY, { clock, random: () => 0 })).rejects.toThrow("HTTP 503");
    expect(calls()).toBe(1);
    expect(clock.slept).toEqual([]);
  });

  it("tells of every failure that another try follows", async () => {
    const told: string[] = [];
    await withRetry(failing(unavailable(), unavailable()).operation, POLICY, {
      clock: createTestClock(EVENING),
      random: () => 0,
      onRetry: (error, attempt) => told.push(`${attempt}: ${error.message}`),
    });
    expect(told).toEqual(["1: HTTP 503", "2: HTTP 503"]);
  });
});
