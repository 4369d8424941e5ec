import * as z from "zod";
import { parseInput } from "../../domain/parse.ts";
import { marketClosures } from "../runtime/environment.ts";
import type { Environment } from "../runtime/runtime.ts";

const runSummaryEnvironment = z.object({ MARKET_CLOSURES: marketClosures });

/** How the run summary is set up. */
export interface RunSummaryConfig {
  readonly marketClosures: readonly string[];
}

/** Reads the run summary's environment variables. Throws an InvalidInputError that names the bad one. */
export function parseRunSummaryEnvironment(environment: Environment): RunSummaryConfig {
  const parsed = parseInput(runSummaryEnvironment, environment, "environment");
  return { marketClosures: parsed.MARKET_CLOSURES };
}
