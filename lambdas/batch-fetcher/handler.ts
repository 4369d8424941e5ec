import { type BatchResult, batchEvent } from "../../domain/batch.ts";
import { parseInput } from "../../domain/parse.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { createHandler, lazyHandler } from "../runtime/lambda-handler.ts";
import { createLambdaRuntime } from "../runtime/lambda-runtime.ts";
import type { Environment, Handler, Runtime } from "../runtime/runtime.ts";
import { parseBatchFetcherEnvironment } from "./env.ts";
import { fetchBatch } from "./fetch-batch.ts";
import { createYahooSource } from "./yahoo.ts";

const NAME = "batch-fetcher";

/** The batch fetcher for an environment and a runtime. Throws an InvalidInputError for a bad environment variable. */
export function createBatchFetcher(environment: Environment, runtime: Runtime): Handler<BatchResult> {
  const config = parseBatchFetcherEnvironment(environment);
  const { fetch, clock } = runtime;
  const source = createYahooSource({ baseUrl: config.yahooUrl, userAgent: config.userAgent, fetch, clock });
  const calendar = createTradingCalendar(config.marketClosures);
  return createHandler(NAME, runtime, (event, invocation) =>
    fetchBatch(parseInput(batchEvent, event, "event"), {
      ...(invocation !== undefined && { endsAt: clock.now() + invocation.getRemainingTimeInMillis() }),
      source,
      calendar,
      requestsPerSecond: config.requestsPerSecond,
      runtime,
    }),
  );
}

/** The Lambda's entry. */
export const handler = lazyHandler(async () =>
  createBatchFetcher(process.env, await createLambdaRuntime(NAME, process.env)),
);
