import { type BackfillDigest, backfillSummaryEvent, isOfBackfill } from "../../domain/backfill.ts";
import { parseInput } from "../../domain/parse.ts";
import { type RunDigest, runSummaryEvent } from "../../domain/run-summary.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { createHandler, lazyHandler } from "../runtime/lambda-handler.ts";
import { createLambdaRuntime } from "../runtime/lambda-runtime.ts";
import type { Environment, Handler, Runtime } from "../runtime/runtime.ts";
import { parseRunSummaryEnvironment } from "./env.ts";
import { summariseBackfill } from "./summarise-backfill.ts";
import { summariseRun } from "./summarise-run.ts";

const NAME = "run-summary";

/** The run summary for an environment and a runtime: of a date, or of a backfill. Throws an InvalidInputError for a bad environment variable. */
export function createRunSummary(environment: Environment, runtime: Runtime): Handler<RunDigest | BackfillDigest> {
  const config = parseRunSummaryEnvironment(environment);
  const calendar = createTradingCalendar(config.marketClosures);
  return createHandler<RunDigest | BackfillDigest>(NAME, runtime, (event) =>
    isOfBackfill(event)
      ? summariseBackfill(parseInput(backfillSummaryEvent, event, "event"), { calendar, runtime })
      : summariseRun(parseInput(runSummaryEvent, event, "event"), { calendar, runtime }),
  );
}

/** The Lambda's entry. */
export const handler = lazyHandler(async () =>
  createRunSummary(process.env, await createLambdaRuntime(NAME, process.env)),
);
