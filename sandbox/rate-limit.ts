import type { Delivery } from "./server.ts";

/** The limit of an upstream, as a bucket of tokens: a request takes one, and without one it is refused. */
export interface RateLimit {
  /** Tokens a second that flow in. */
  readonly perSecond: number;
  /** Tokens that the bucket holds; it is full at first. */
  readonly burst: number;
  /** Whether a refusal says, in Retry-After, how many seconds it takes until there is a token. */
  readonly retryAfter: boolean;
}

/**
 * Answers 429 to chart requests above a limit. The directory is another host's, and is not limited.
 * @param now milliseconds since 1970.
 */
export function rateLimited({ perSecond, burst, retryAfter }: RateLimit, now: () => number, next: Delivery): Delivery {
  let tokens = burst;
  let filledAt: number | undefined;
  return async (answer, request) => {
    if (request.kind !== "chart") return next(answer, request);
    const at = now();
    tokens = Math.min(burst, tokens + (Math.max(0, at - (filledAt ?? at)) / 1000) * perSecond);
    filledAt = at;
    // Steps of milliseconds add up with tiny errors; a client on the limit exactly is not refused for them.
    if (tokens > 1 - 1e-9) {
      tokens -= 1;
      return next(answer, request);
    }
    const seconds = Math.ceil((1 - tokens) / perSecond);
    const refusal = { status: 429, contentType: "text/plain", body: "Too Many Requests\r\n" };
    return next(retryAfter ? { ...refusal, headers: { "retry-after": String(seconds) } } : refusal, request);
  };
}
