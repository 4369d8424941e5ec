import { UpstreamRefusedError, UpstreamUnavailableError } from "../../domain/errors.ts";
import type { Clock } from "./clock.ts";

/** The platform's `fetch`, or one that a test hands in. */
export type Fetch = (input: URL, init: RequestInit) => Promise<Response>;

/** One GET, bounded in time and size. */
export interface BoundedRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Bounds headers and body together. */
  readonly timeoutMs: number;
  /** Bounds the decoded body. */
  readonly maxBytes: number;
}

/** What came back, whole. */
export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  /** How long the server asked to wait, where it did. */
  readonly retryAfterMs: number | undefined;
  readonly body: Uint8Array;
  /** When the body was complete, in milliseconds since 1970. */
  readonly answeredAt: number;
}

/**
 * Fetches a whole answer of any status but a redirect.
 * @throws UpstreamUnavailableError where the network fails, the time is up or the body breaks off.
 * @throws UpstreamRefusedError for a redirect, or a body over the bound. Addresses in messages carry no query.
 */
export async function boundedGet(fetch: Fetch, request: BoundedRequest, clock: Clock): Promise<HttpAnswer> {
  const where = `${request.url.origin}${request.url.pathname}`;
  const abort = new AbortController();
  const callOff = clock.after(request.timeoutMs, () => abort.abort());
  try {
    const response = await fetch(request.url, { headers: request.headers, redirect: "manual", signal: abort.signal });
    if (response.status >= 300 && response.status < 400) {
      abort.abort();
      throw new UpstreamRefusedError(
        `${where} answered HTTP ${response.status}, a redirect to ${redirectTarget(response)}; redirects are not followed`,
      );
    }
    const body = await readBounded(response, request.maxBytes, where, abort);
    return {
      status: response.status,
      contentType: response.headers.get("content-type") ?? "",
      retryAfterMs: parseRetryAfter(response.headers.get("retry-after"), clock.now()),
      body,
      answeredAt: clock.now(),
    };
  } catch (error) {
    if (error instanceof UpstreamRefusedError) throw error;
    if (abort.signal.aborted) {
      throw new UpstreamUnavailableError(`${where} gave no whole answer within ${request.timeoutMs} ms`, {
        cause: error,
      });
    }
    throw new UpstreamUnavailableError(`${where} could not be reached: ${networkReason(error)}`, { cause: error });
  } finally {
    callOff();
  }
}

async function readBounded(
  response: Response,
  maxBytes: number,
  where: string,
  abort: AbortController,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) {
      abort.abort();
      throw new UpstreamRefusedError(`${where} answered with more than ${maxBytes} bytes; the rest was not read`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Where a redirect points, without its query, which can carry a session. */
function redirectTarget(response: Response): string {
  const location = response.headers.get("location");
  if (location === null) return "nowhere";
  const target = URL.parse(location, response.url === "" ? undefined : response.url);
  return target === null ? "an unreadable address" : `${target.origin}${target.pathname}`;
}

/** `Fri, 31 May 2024 09:30:00 GMT`: the form that RFC 9110 asks of senders. */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Milliseconds of a Retry-After header in either of its forms, seconds or a date; undefined for anything else. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  if (!HTTP_DATE.test(header.trim())) return undefined;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

function networkReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause;
  if (cause instanceof Error) return "code" in cause ? `${cause.message} (${String(cause.code)})` : cause.message;
  return error.message;
}
