/** Turns the sandbox's answers into responses: over a network as they are, in the process as `fetch` would give them. */
import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { SandboxAnswer } from "./yahoo-answers.ts";

/** The way an answer goes over a network. */
type Connection = HttpBindings["outgoing"];

/** Sends an answer over a network. */
export function sendOver(outgoing: Connection, answer: SandboxAnswer): Response {
  const { status, contentType, body, headers, gzipped, breaksAfter } = answer;
  if (breaksAfter === 0) {
    outgoing.destroy();
    return RESPONSE_ALREADY_SENT;
  }
  if (breaksAfter !== undefined && !(body instanceof ReadableStream)) {
    outgoing.writeHead(status, { ...headers, "content-type": contentType });
    outgoing.write(Buffer.from(body).subarray(0, breaksAfter), () => outgoing.destroy());
    return RESPONSE_ALREADY_SENT;
  }
  const packing = gzipped === undefined ? {} : { "content-encoding": "gzip" };
  return new Response(sendable(gzipped ?? body), {
    status,
    headers: { ...headers, ...packing, "content-type": contentType },
  });
}

/**
 * The response that a client in the same process gets: unpacked, breaking where a connection would, and
 * giving up when the client does.
 * @throws TypeError where a connection would break before the status, as `fetch` does.
 */
export function respondInProcess(answer: SandboxAnswer, signal: AbortSignal): Response {
  const { status, contentType, body, headers, breaksAfter } = answer;
  if (breaksAfter === 0) throw connectionReset("fetch failed");
  const sent =
    body instanceof ReadableStream
      ? body.pipeThrough(new TransformStream<Uint8Array, Uint8Array>(), { signal })
      : breaksAfter !== undefined
        ? brokenOff(Buffer.from(body).subarray(0, breaksAfter))
        : sendable(body);
  return new Response(sent, { status, headers: { ...headers, "content-type": contentType } });
}

/** The result, or what the client says when it gives up before. */
export function orGivenUp<Result>(result: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason);
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    result.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}

function sendable(body: SandboxAnswer["body"]): string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> {
  return body instanceof Uint8Array ? new Uint8Array(body) : body;
}

function brokenOff(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let sent = false;
  return new ReadableStream({
    pull(controller) {
      if (sent || bytes.length === 0) controller.error(connectionReset("terminated"));
      else controller.enqueue(new Uint8Array(bytes));
      sent = true;
    },
  });
}

function connectionReset(message: string): TypeError {
  return new TypeError(message, { cause: Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }) });
}
