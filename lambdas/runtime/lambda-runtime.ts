import * as z from "zod";
import { parseInput } from "../../domain/parse.ts";
import { endpointOf, openStore } from "../../stores/open-store.ts";
// Loaded while the function starts, which has more of a processor than the first call.
import "../../stores/s3-store.ts";
import { systemClock } from "./clock.ts";
import { createLambdaLogger } from "./logger.ts";
import { createLambdaMetrics } from "./metrics.ts";
import type { Environment, Runtime } from "./runtime.ts";

const runtimeEnvironment = z.object({
  STORE_URL: z.string().min(1),
  /** Tells apart the deployments of one account. */
  STAGE: z.string().min(1).default("local"),
});

/** The runtime of a deployed Lambda: the store named by STORE_URL, the host's clock and network, logs and metrics of CloudWatch. */
export async function createLambdaRuntime(serviceName: string, environment: Environment): Promise<Runtime> {
  const { STORE_URL, STAGE } = parseInput(runtimeEnvironment, environment, "environment");
  return {
    store: await openStore(STORE_URL, { endpoint: endpointOf(environment) }),
    fetch: globalThis.fetch,
    clock: systemClock,
    random: Math.random,
    logger: createLambdaLogger(serviceName),
    metrics: createLambdaMetrics(serviceName, STAGE),
  };
}
