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
  readonly clock: Clock;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
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
  { clock, random, onRetry }: RetryContext,
): Promise<Result> {
  return pRetry(operation, {
    retries: policy.attempts - 1,
    minTimeout: 0, // the wait is ours, below: p-retry's own is neither jittered over the whole range nor handed a clock
    shouldRetry: ({ error }) => isTransient(error) && retryAfterOf(error) <= policy.longestRetryAfterMs,
    onFailedAttempt: async ({ error, attemptNumber, retriesLeft }) => {
      const asked = retryAfterOf(error);
      if (retriesLeft === 0 || !isTransient(error) || asked > policy.longestRetryAfterMs) return;
      const backOff = random() * Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** (attemptNumber - 1));
      const delayMs = Math.round(asked + backOff);
      onRetry?.(error, attemptNumber, delayMs);
      await clock.sleep(delayMs);
    },
  });
}

function retryAfterOf(error: Error): number {
  return error instanceof UpstreamUnavailableError ? (error.retryAfterMs ?? 0) : 0;
}
