import { parseInput } from "../../domain/parse.ts";
import { type RunDigest, runSummaryEvent } from "../../domain/run-summary.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { createHandler, lazyHandler } from "../runtime/lambda-handler.ts";
import { createLambdaRuntime } from "../runtime/lambda-runtime.ts";
import type { Environment, Handler, Runtime } from "../runtime/runtime.ts";
import { parseRunSummaryEnvironment } from "./env.ts";
import { summariseRun } from "./summarise-run.ts";

const NAME = "run-summary";

/** The run summary for an environment and a runtime. Throws an InvalidInputError for a bad environment variable. */
export function createRunSummary(environment: Environment, runtime: Runtime): Handler<RunDigest> {
  const config = parseRunSummaryEnvironment(environment);
  const calendar = createTradingCalendar(config.marketClosures);
  return createHandler(NAME, runtime, (event) =>
    summariseRun(parseInput(runSummaryEvent, event, "event"), { calendar, runtime }),
  );
}

/** The Lambda's entry. */
export const handler = lazyHandler(async () =>
  createRunSummary(process.env, await createLambdaRuntime(NAME, process.env)),
);
