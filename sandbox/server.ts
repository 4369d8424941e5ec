import { type HttpBindings, type ServerType, serve } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { InvalidInputError } from "../domain/errors.ts";
import type { Market } from "./market.ts";
import { SANDBOX_PATHS } from "./paths.ts";
import { orGivenUp, respondInProcess, sendOver } from "./response.ts";
import { hostSleep, type Sleep } from "./sleep.ts";
import { type ChartQuestion, chartAnswer, chartError, type SandboxAnswer } from "./yahoo-answers.ts";

export { SANDBOX_PATHS };

/** A period of chart time: seconds since 1970, the end excluded. */
export interface ChartPeriod {
  readonly from: number;
  readonly to: number;
}

/** One request, as the place that every answer passes sees it. */
export interface SandboxRequest {
  readonly path: string;
  /** The ticker of a chart request; undefined for others. */
  readonly ticker: string | undefined;
  /** Which of the stand-ins is asked; undefined where nothing is served. */
  readonly kind?: "chart" | "directory";
  /** The right answer to the same chart request over another period; undefined where the request is no right one. */
  readonly answerFor?: (period: ChartPeriod) => SandboxAnswer;
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
export function delayed(latencyMs: number, sleep: Sleep = hostSleep): Delivery {
  return async (answer) => {
    if (latencyMs > 0) await sleep(latencyMs);
    return answer;
  };
}

/** The stand-ins for the ASX directory and Yahoo's chart as one HTTP application. */
export function createSandboxApp({ market, now, delivery = delayed(0) }: SandboxOptions) {
  const app = new Hono<{ Bindings: Partial<HttpBindings> }>();
  const send = async (
    answer: SandboxAnswer,
    request: SandboxRequest,
    { req, env }: Context<{ Bindings: Partial<HttpBindings> }>,
  ): Promise<Response> => {
    const outgoing = env?.outgoing;
    if (outgoing !== undefined) return sendOver(outgoing, await delivery(answer, request));
    return respondInProcess(await orGivenUp(delivery(answer, request), req.raw.signal), req.raw.signal);
  };
  app.get(SANDBOX_PATHS.directory, (context) =>
    send(
      directoryAnswer(market.directory().current),
      { path: context.req.path, ticker: undefined, kind: "directory" },
      context,
    ),
  );
  app.get(SANDBOX_PATHS.olderDirectory, (context) =>
    send(
      directoryAnswer(market.directory().older),
      { path: context.req.path, ticker: undefined, kind: "directory" },
      context,
    ),
  );
  app.get("/v8/finance/chart/:ticker", (context) => {
    const { req } = context;
    const ticker = req.param("ticker");
    const question = readQuestion(ticker, new URL(req.url).searchParams);
    if ("status" in question) return send(question, { path: req.path, ticker, kind: "chart" }, context);
    const answerFor = ({ from, to }: ChartPeriod): SandboxAnswer =>
      chartAnswer(market, { ...question, period1: from, period2: to }, now());
    return send(chartAnswer(market, question, now()), { path: req.path, ticker, kind: "chart", answerFor }, context);
  });
  app.notFound((context) =>
    send(
      { status: 404, contentType: "text/plain", body: "Not Found" },
      { path: context.req.path, ticker: undefined },
      context,
    ),
  );
  // A connection that breaks is an error for a client in the process, as it is for one over a network.
  app.onError((error) => {
    throw error;
  });
  return app;
}

/** What a chart request asks for, or the answer to one that asks for nothing right. */
function readQuestion(ticker: string, query: URLSearchParams): ChartQuestion | SandboxAnswer {
  const period1 = Number(query.get("period1") ?? "NaN");
  const period2 = Number(query.get("period2") ?? "NaN");
  if (!Number.isSafeInteger(period1) || !Number.isSafeInteger(period2) || period1 >= period2) {
    return chartError(400, "Bad Request", "Invalid input - start date cannot be after end date");
  }
  if (query.get("interval") !== "1d")
    return chartError(422, "Unprocessable Entity", "The sandbox has interval=1d only");
  const events = (query.get("events") ?? "").split("|");
  return { ticker, period1, period2, wantsDividends: events.includes("div"), wantsSplits: events.includes("split") };
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
