import type { UpstreamCounters } from "../../domain/batch.ts";
import {
  GateClosedError,
  isTransient,
  messageOf,
  UpstreamRefusedError,
  UpstreamUnavailableError,
} from "../../domain/errors.ts";
import type { Clock } from "../runtime/clock.ts";
import { backOffMs, type RetryContext, type RetryPolicy, withRetry } from "../runtime/retry.ts";
import { createRequestSlots } from "./request-slots.ts";

/** Requests of one worker that may be under way at the same time. */
export const REQUESTS_AT_ONCE = 4;
/** So many bad answers in a row close the gate. */
export const BAD_ANSWERS_TO_CLOSE = 8;
/** So many blocks, and no other answer before them, close the gate. */
export const BLOCKS_TO_CLOSE = 3;

/**
 * How a request is repeated. Where every fifth answer is bad, six attempts leave one in 16,000 symbols to the next round;
 * all of them with their waits take under five minutes, the time that a function keeps for the symbol it began last.
 */
export const REQUEST_RETRY: RetryPolicy = {
  attempts: 6,
  firstDelayMs: 1_000,
  longestDelayMs: 20_000,
  longestRetryAfterMs: 45_000,
};

/** The one place that every request of a worker passes. */
export interface UpstreamGate {
  /**
   * Asks when it is its turn, and again while the answers are transient failures. Operations in back-off go before
   * those that were never tried. May be called for all there is to ask at once.
   * @throws the last error, or GateClosedError where the gate closed or the time ended before the first try.
   */
  ask<Result>(operation: () => Promise<Result>, onRetry?: RetryContext["onRetry"]): Promise<Result>;
  readonly counters: UpstreamCounters;
  /** Why the gate is closed for good; undefined while it is open. */
  readonly closed: string | undefined;
  /** Whether it closed because the upstream blocked us from the first request on. */
  readonly blocked: boolean;
  /** Closes it for a reason found outside. A gate that is closed keeps its first reason. */
  close(reason: string): void;
}

/** What a gate needs. */
export interface UpstreamGateOptions {
  /** The budget over all lanes; null for no limit. */
  readonly requestsPerSecond: number | null;
  /** This worker's lane, from 0 (inclusive) to `lanes` (exclusive); of workers that run at once, each has its own. */
  readonly lane: number;
  readonly lanes: number;
  readonly clock: Clock;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
  /** Nothing is waited for that ends later, in milliseconds since 1970; undefined for no end. */
  readonly endsAt?: number | undefined;
}

/** An operation that waits: for its turn, or in back-off. */
interface Waiting {
  /** Ends its wait with an error. */
  giveUp(error: GateClosedError): void;
}

/** One whose turn comes. */
interface InLine extends Waiting {
  /** Asks. Never rejects. */
  begin(): Promise<void>;
}

/**
 * A gate with the worker's share of the budget, at most {@link REQUESTS_AT_ONCE} requests under way, retries, pauses and a
 * circuit breaker. Until the first answer that is no block there is one request under way: an upstream that lets none
 * through is asked as little as can be.
 */
export function createUpstreamGate(options: UpstreamGateOptions): UpstreamGate {
  const { requestsPerSecond, lane, lanes, clock, random, endsAt = Number.POSITIVE_INFINITY } = options;
  const slots = requestsPerSecond === null ? undefined : createRequestSlots({ requestsPerSecond, lane, lanes });
  const counters = { requests: 0, retries: 0, rateLimited: 0, breakerOpenings: 0, waitedMs: 0 };
  /** Operations to ask again go before those never tried: they end sooner, with others left to ask during their back-off. */
  const line = { again: new Set<InLine>(), first: new Set<InLine>() };
  const inBackOff = new Set<Waiting>();
  let underWay = 0;
  let isAdmitted = false;
  let blocks = 0;
  let badInARow = 0;
  let limitedInARow = 0;
  let pausedUntil = Number.NEGATIVE_INFINITY;
  let closed: string | undefined;
  let blocked = false;
  /** Since when the next in line waits although there is a place for it. */
  let waitingSince: number | undefined;
  let callOffWait: (() => void) | undefined;

  function close(reason: string): void {
    if (closed !== undefined) return;
    closed = reason;
    callOffWait?.();
    endWait(clock.now());
    giveUp(reason, line.again, line.first, inBackOff);
  }

  /** Lets those in line begin as far as there are places for them and the budget and pauses allow; waits for the rest. */
  function admit(): void {
    callOffWait?.();
    callOffWait = undefined;
    while (closed === undefined && underWay < (isAdmitted ? REQUESTS_AT_ONCE : 1)) {
      const [next] = line.again.size > 0 ? line.again : line.first;
      if (next === undefined) return;
      const now = clock.now();
      const from = Math.max(now, pausedUntil);
      const at = slots?.earliest(from) ?? from;
      if (at > endsAt) {
        endWait(now);
        giveUp("the time was running out", line.again, line.first);
        return;
      }
      if (at > now) {
        waitingSince ??= now;
        callOffWait = clock.after(Math.ceil(at - now), admit);
        return;
      }
      endWait(now);
      slots?.take(now);
      line.again.delete(next);
      line.first.delete(next);
      void next.begin();
    }
  }

  function endWait(now: number): void {
    counters.waitedMs += now - (waitingSince ?? now);
    waitingSince = undefined;
  }

  /** Waits for its turn and asks once. */
  function askOnce<Result>(operation: () => Promise<Result>, isRetry: boolean): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (closed !== undefined) return reject(new GateClosedError(closed));
      const inLine: InLine = {
        giveUp: reject,
        begin: async () => {
          underWay += 1;
          counters.requests += 1;
          if (isRetry) counters.retries += 1;
          try {
            const result = await operation();
            noteAnswer(undefined);
            resolve(result);
          } catch (error) {
            noteAnswer(error);
            reject(error);
          } finally {
            underWay -= 1;
            admit();
          }
        },
      };
      (isRetry ? line.again : line.first).add(inLine);
      admit();
    });
  }

  /** What an answer says of the upstream. `error` is undefined for every answer that can be used, 404 too. */
  function noteAnswer(error: unknown): void {
    const isRefused = error instanceof UpstreamRefusedError;
    const isLimited = error instanceof UpstreamUnavailableError && error.rateLimited;
    const asked = error instanceof UpstreamUnavailableError ? error.retryAfterMs : undefined;
    if (isLimited) counters.rateLimited += 1;
    limitedInARow = isLimited ? limitedInARow + 1 : 0;
    if (isRefused || isTransient(error)) badInARow += 1;
    else if (error === undefined) badInARow = 0;
    if (isRefused || isLimited) blocks += 1;
    else isAdmitted = true;

    const message = messageOf(error);
    if (asked !== undefined && asked > REQUEST_RETRY.longestRetryAfterMs) {
      close(`the upstream asks to wait ${Math.ceil(asked / 1000)} s: ${message}`);
    } else if (!isAdmitted && blocks === BLOCKS_TO_CLOSE) {
      blocked = closed === undefined;
      close(`blocked from the first call on: ${message}`);
    } else if (badInARow === BAD_ANSWERS_TO_CLOSE) {
      if (closed === undefined) counters.breakerOpenings += 1;
      close(`${BAD_ANSWERS_TO_CLOSE} bad answers in a row, the last: ${message}`);
    } else if (asked !== undefined) {
      pause(asked);
    } else if (isLimited && limitedInARow > 1) {
      pause(backOffMs(REQUEST_RETRY, limitedInARow - 1, random));
    }
  }

  function pause(ms: number): void {
    pausedUntil = Math.max(pausedUntil, clock.now() + Math.round(ms));
  }

  /** Sleeps, unless the gate closes. */
  function backOff(ms: number): Promise<void> {
    const began = clock.now();
    return new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        giveUp: (error) => {
          callOff();
          reject(error);
        },
      };
      const callOff = clock.after(ms, () => {
        inBackOff.delete(waiting);
        resolve();
      });
      inBackOff.add(waiting);
    }).finally(() => {
      counters.waitedMs += clock.now() - began;
    });
  }

  return {
    counters,
    get closed() {
      return closed;
    },
    get blocked() {
      return blocked;
    },
    close,
    async ask<Result>(operation: () => Promise<Result>, onRetry?: RetryContext["onRetry"]): Promise<Result> {
      let lastError: unknown;
      const attempt = async () => {
        try {
          return await askOnce(operation, lastError !== undefined);
        } catch (error) {
          // A closed gate is no answer: it hides none that came before.
          if (!(error instanceof GateClosedError)) lastError = error;
          throw error;
        }
      };
      try {
        return await withRetry(attempt, REQUEST_RETRY, {
          clock: { sleep: backOff },
          random,
          mayRetry: (error, delayMs) =>
            closed === undefined && !(error instanceof GateClosedError) && clock.now() + delayMs <= endsAt,
          ...(onRetry !== undefined && { onRetry }),
        });
      } catch (error) {
        throw error instanceof GateClosedError ? (lastError ?? error) : error;
      }
    },
  };
}

function giveUp(reason: string, ...groups: Set<Waiting>[]): void {
  for (const group of groups) {
    for (const waiting of group) waiting.giveUp(new GateClosedError(reason));
    group.clear();
  }
}
