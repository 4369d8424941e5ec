import { type HttpBindings, type ServerType, serve } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import { InvalidInputError } from "../domain/errors.ts";
import type { Market } from "./market.ts";
import { chartAnswer, chartError, type SandboxAnswer } from "./yahoo-answers.ts";

/** Where the stand-ins lie below the sandbox's address: the same paths as at the real hosts. */
export const SANDBOX_PATHS = {
  directory: "/asx-research/1.0/companies/directory/file",
  olderDirectory: "/asx/research/ASXListedCompanies.csv",
} as const;

/** One request, as the place that every answer passes sees it. */
export interface SandboxRequest {
  readonly path: string;
  /** The ticker of a chart request; undefined for others. */
  readonly ticker: string | undefined;
}

/** Every answer passes here before it is sent: it can be delayed, changed or replaced. */
export type Delivery = (answer: SandboxAnswer, request: SandboxRequest) => Promise<SandboxAnswer>;

/** What the sandbox serves and how. */
export interface SandboxOptions {
  readonly market: Market;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly delivery?: Delivery;
}

/** A sandbox that listens on loopback. */
export interface RunningSandbox {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  close(): Promise<void>;
}

/** Delays every answer by so many milliseconds. */
export function delayed(latencyMs: number): Delivery {
  return async (answer) => {
    if (latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, latencyMs));
    return answer;
  };
}

/** The stand-ins for the ASX directory and Yahoo's chart as one HTTP application. */
export function createSandboxApp({ market, now, delivery = delayed(0) }: SandboxOptions) {
  const app = new Hono<{ Bindings: Partial<HttpBindings> }>();
  const send = async (
    answer: SandboxAnswer,
    request: SandboxRequest,
    { outgoing }: Partial<HttpBindings> = {},
  ): Promise<Response> => {
    const { status, contentType, body, headers, breaksAfter } = await delivery(answer, request);
    if (breaksAfter !== undefined && outgoing !== undefined && !(body instanceof ReadableStream)) {
      outgoing.writeHead(status, { "content-type": contentType });
      outgoing.write(Buffer.from(body).subarray(0, breaksAfter), () => outgoing.destroy());
      return RESPONSE_ALREADY_SENT;
    }
    return new Response(body instanceof Uint8Array ? new Uint8Array(body) : body, {
      status,
      headers: { ...headers, "content-type": contentType },
    });
  };
  app.get(SANDBOX_PATHS.directory, ({ req, env }) =>
    send(directoryAnswer(market.directory().current), { path: req.path, ticker: undefined }, env),
  );
  app.get(SANDBOX_PATHS.olderDirectory, ({ req, env }) =>
    send(directoryAnswer(market.directory().older), { path: req.path, ticker: undefined }, env),
  );
  app.get("/v8/finance/chart/:ticker", ({ req, env }) => {
    const ticker = req.param("ticker");
    return send(answerChart(market, ticker, new URL(req.url).searchParams, now()), { path: req.path, ticker }, env);
  });
  app.notFound(({ req }) =>
    send({ status: 404, contentType: "text/plain", body: "Not Found" }, { path: req.path, ticker: undefined }),
  );
  return app;
}

function answerChart(market: Market, ticker: string, query: URLSearchParams, now: number): SandboxAnswer {
  const period1 = Number(query.get("period1") ?? "NaN");
  const period2 = Number(query.get("period2") ?? "NaN");
  if (!Number.isSafeInteger(period1) || !Number.isSafeInteger(period2) || period1 >= period2) {
    return chartError(400, "Bad Request", "Invalid input - start date cannot be after end date");
  }
  if (query.get("interval") !== "1d")
    return chartError(422, "Unprocessable Entity", "The sandbox has interval=1d only");
  const events = (query.get("events") ?? "").split("|");
  const question = {
    ticker,
    period1,
    period2,
    wantsDividends: events.includes("div"),
    wantsSplits: events.includes("split"),
  };
  return chartAnswer(market, question, now);
}

function directoryAnswer(file: Uint8Array): SandboxAnswer {
  return { status: 200, contentType: "text/csv", body: file };
}

/**
 * Starts a sandbox on loopback.
 * @param port 0 for any free port.
 * @throws InvalidInputError where the port is taken or not allowed.
 */
export function startSandbox(options: SandboxOptions, port = 0): Promise<RunningSandbox> {
  const app = createSandboxApp(options);
  return new Promise((resolve, reject) => {
    const server: ServerType = serve({ fetch: app.fetch, hostname: "127.0.0.1", port }, (address) => {
      resolve({ url: `http://127.0.0.1:${address.port}`, close: () => closeServer(server) });
    });
    server.once("error", (cause) => {
      reject(
        new InvalidInputError(
          `the sandbox cannot listen on port ${port}: ${cause.message}; choose another with --port`,
          { cause },
        ),
      );
    });
  });
}

function closeServer(server: ServerType): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    if ("closeAllConnections" in server) server.closeAllConnections();
  });
}
