import { type HistoryBatchResult, historyBatchEvent, isOfBackfill } from "../../domain/backfill.ts";
import { type BatchResult, batchEvent } from "../../domain/batch.ts";
import { parseInput } from "../../domain/parse.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { createHandler, lazyHandler } from "../runtime/lambda-handler.ts";
import { createLambdaRuntime } from "../runtime/lambda-runtime.ts";
import type { Environment, Handler, Runtime } from "../runtime/runtime.ts";
import { parseBatchFetcherEnvironment } from "./env.ts";
import { fetchBatch } from "./fetch-batch.ts";
import { fetchHistory } from "./fetch-history.ts";
import { createYahooSource } from "./yahoo.ts";

const NAME = "batch-fetcher";

/** The batch fetcher for an environment and a runtime: of a date, or of a backfill. Throws an InvalidInputError for a bad environment variable. */
export function createBatchFetcher(
  environment: Environment,
  runtime: Runtime,
): Handler<BatchResult | HistoryBatchResult> {
  const config = parseBatchFetcherEnvironment(environment);
  const { fetch, clock } = runtime;
  const source = createYahooSource({ baseUrl: config.yahooUrl, userAgent: config.userAgent, fetch, clock });
  const calendar = createTradingCalendar(config.marketClosures);
  return createHandler<BatchResult | HistoryBatchResult>(NAME, runtime, (event, invocation) => {
    const options = {
      ...(invocation !== undefined && { endsAt: clock.now() + invocation.getRemainingTimeInMillis() }),
      source,
      calendar,
      requestsPerSecond: config.requestsPerSecond,
      runtime,
    };
    return isOfBackfill(event)
      ? fetchHistory(parseInput(historyBatchEvent, event, "event"), options)
      : fetchBatch(parseInput(batchEvent, event, "event"), options);
  });
}

/** The Lambda's entry. */
export const handler = lazyHandler(async () =>
  createBatchFetcher(process.env, await createLambdaRuntime(NAME, process.env)),
);
