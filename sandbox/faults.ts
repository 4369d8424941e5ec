/** Faults of an upstream as they have been seen, made at chance moments that a seed decides. */
import { gzipSync } from "node:zlib";
import { InvalidInputError } from "../domain/errors.ts";
import { uniform } from "./random.ts";
import type { Delivery } from "./server.ts";
import type { SandboxAnswer } from "./yahoo-answers.ts";

/** What a fault makes of a right answer. `chance` is a number from 0 (inclusive) to 1 (exclusive). */
type Fault = (answer: SandboxAnswer, chance: number) => SandboxAnswer;

const MEGABYTE = 1_000_000;
const ZEROS = new Uint8Array(MEGABYTE);

/** Every fault by its name, with the answer that is sent in place of the right one. */
export const FAULTS = {
  /** Asked too much: 429 as text, with the time to wait. */
  "rate-limit": () => ({
    status: 429,
    contentType: "text/plain",
    body: "Too Many Requests\r\n",
    headers: { "retry-after": "2" },
  }),
  /** 500, 502 or 503. */
  "server-error": (_, chance) => ({
    status: [500, 502, 503][Math.floor(chance * 3)] ?? 500,
    contentType: "text/plain",
    body: "",
  }),
  /** Down, and says so as a page with status 200. */
  html: () => ({ status: 200, contentType: "text/html", body: "<html><body>Will be right back...</body></html>" }),
  /** Half of the right body, as if it were whole. */
  truncated: (answer) => ({ ...answer, body: bytesOf(answer).slice(0, bytesOf(answer).length / 2) }),
  /** Session trouble of a client that has none. */
  unauthorized: () => ({
    status: 401,
    contentType: "application/json",
    body: '{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}',
  }),
  /** Sent to a page that asks for consent. */
  consent: () => ({
    status: 302,
    contentType: "text/html",
    body: "",
    headers: { location: "https://consent.example/collect" },
  }),
  /** Nothing at all, and no error either. */
  empty: () => ({ status: 200, contentType: "application/json", body: '{"chart":{"result":[],"error":null}}' }),
  /** The connection breaks within the body. */
  reset: (answer) => ({ ...answer, breaksAfter: Math.ceil(bytesOf(answer).length / 2) }),
  /** 100 MB, a megabyte after the other. */
  oversized: () => ({ status: 200, contentType: "application/json", body: endlessStream(100) }),
  /** 100 MB in 100 kB. */
  "gzip-bomb": () => ({
    status: 200,
    contentType: "application/json",
    body: gzipSync(new Uint8Array(100 * MEGABYTE)),
    headers: { "content-encoding": "gzip" },
  }),
  /** No answer, until the client gives up. */
  stall: (answer) => ({ ...answer, body: silentStream() }),
} as const satisfies Record<string, Fault>;

/** The name of a fault. */
export type FaultName = keyof typeof FAULTS;

/** How often each fault is made, as a share of the requests from 0 to 1. */
export type FaultShares = Readonly<Partial<Record<FaultName, number>>>;

/**
 * Reads `rate-limit=0.1,html=0.05`.
 * @throws InvalidInputError that names what is wrong and what is allowed.
 */
export function parseFaultShares(text: string): FaultShares {
  const shares: Partial<Record<FaultName, number>> = {};
  for (const part of text.split(",")) {
    const [, name = "", share = ""] = /^\s*([a-z-]+)=(\d(?:\.\d+)?)\s*$/.exec(part) ?? [];
    if (!isFaultName(name) || Number(share) > 1) {
      throw new InvalidInputError(
        `fault ${JSON.stringify(part.trim())} is no NAME=SHARE; names are ${Object.keys(FAULTS).join(", ")}, a share is from 0 to 1`,
      );
    }
    shares[name] = Number(share);
  }
  const total = Object.values(shares).reduce((sum, share) => sum + share, 0);
  if (total > 1 + Number.EPSILON)
    throw new InvalidInputError(`the shares of the faults come to ${total}; together they are 1 at most`);
  return shares;
}

/** Makes faults at the moments that the seed decides: of the same requests in the same order, the same ones fail. */
export function faulty(shares: FaultShares, seed: number, next: Delivery): Delivery {
  let requests = 0;
  return async (answer, request) => {
    requests += 1;
    let left = uniform(seed, requests, 0);
    for (const [name, share] of Object.entries(shares)) {
      if (left < share && isFaultName(name)) return next(FAULTS[name](answer, uniform(seed, requests, 1)), request);
      left -= share;
    }
    return next(answer, request);
  };
}

function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULTS, name);
}

function bytesOf({ body }: SandboxAnswer): Uint8Array {
  if (typeof body === "string") return new TextEncoder().encode(body);
  return body instanceof Uint8Array ? body : new Uint8Array();
}

function endlessStream(megabytes: number): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      if (sent === megabytes) controller.close();
      else controller.enqueue(ZEROS);
      sent += 1;
    },
  });
}

function silentStream(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: () => new Promise(() => undefined) });
}
