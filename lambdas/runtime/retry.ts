import pRetry from "p-retry";
import { isTransient, UpstreamUnavailableError } from "../../domain/errors.ts";
import type { Clock } from "./clock.ts";

/** How often and how patiently something is tried. */
export interface RetryPolicy {
  /** Tries in total, the first included. */
  readonly attempts: number;
  /** Longest wait before the second try; doubled before each further one. */
  readonly firstDelayMs: number;
  /** Longest back-off. */
  readonly longestDelayMs: number;
  /** Longest wait an upstream may ask for by Retry-After; a longer one ends the tries at once. */
  readonly longestRetryAfterMs: number;
}

/** What {@link withRetry} needs of its surroundings. */
export interface RetryContext {
  readonly clock: Pick<Clock, "sleep">;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
  /** Asked before a wait; where it says no, the tries end at once. */
  readonly mayRetry?: (error: Error, delayMs: number) => boolean;
  /** Told of every failure that is followed by another try. */
  readonly onRetry?: (error: Error, attempt: number, delayMs: number) => void;
}

/**
 * Tries an operation until it succeeds, fails terminally or the attempts are used up. Waits with
 * exponential back-off and full jitter (a random part of the doubled delay, as in the AWS
 * Architecture Blog, "Exponential Backoff And Jitter", 2015), and at least as long as Retry-After asks.
 * @throws the last error, as it was thrown.
 */
export function withRetry<Result>(
  operation: () => Promise<Result>,
  policy: RetryPolicy,
  { clock, random, mayRetry, onRetry }: RetryContext,
): Promise<Result> {
  let again = false;
  return pRetry(operation, {
    retries: policy.attempts - 1,
    minTimeout: 0, // the wait is ours, below: p-retry's own is neither jittered over the whole range nor handed a clock
    shouldRetry: () => again,
    onFailedAttempt: async ({ error, attemptNumber, retriesLeft }) => {
      again = false;
      const asked = retryAfterOf(error);
      if (retriesLeft === 0 || !isTransient(error) || asked > policy.longestRetryAfterMs) return;
      const delayMs = Math.round(asked + backOffMs(policy, attemptNumber, random));
      if (mayRetry?.(error, delayMs) === false) return;
      onRetry?.(error, attemptNumber, delayMs);
      await clock.sleep(delayMs);
      again = true;
    },
  });
}

/** A random part of the doubled, bounded delay after so many failures, from 1. */
export function backOffMs(
  { firstDelayMs, longestDelayMs }: Pick<RetryPolicy, "firstDelayMs" | "longestDelayMs">,
  failures: number,
  random: () => number,
): number {
  return random() * Math.min(longestDelayMs, firstDelayMs * 2 ** (failures - 1));
}

function retryAfterOf(error: Error): number {
  return error instanceof UpstreamUnavailableError ? (error.retryAfterMs ?? 0) : 0;
}
