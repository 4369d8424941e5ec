import { parseInput } from "../../domain/parse.ts";
import { type RunDigest, runSummaryEvent } from "../../domain/run-summary.ts";
import { createHandler, lazyHandler } from "../runtime/lambda-handler.ts";
import { createLambdaRuntime } from "../runtime/lambda-runtime.ts";
import type { Handler, Runtime } from "../runtime/runtime.ts";
import { summariseRun } from "./summarise-run.ts";

const NAME = "run-summary";

/** The run summary for a runtime. It has no settings of its own: its environment is the store's alone. */
export function createRunSummary(runtime: Runtime): Handler<RunDigest> {
  return createHandler(NAME, runtime, (event) => summariseRun(parseInput(runSummaryEvent, event, "event"), runtime));
}

/** The Lambda's entry. */
export const handler = lazyHandler(() => createRunSummary(createLambdaRuntime(NAME, process.env)));
