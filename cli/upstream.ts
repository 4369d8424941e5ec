import { SANDBOX_PATHS, startSandbox } from "../sandbox/server.ts";
import { createSyntheticMarket } from "../sandbox/synthetic-market.ts";

/** Where a run's data comes from. */
export interface Upstream {
  /** Environment variables of the Lambdas that lead there; none for the real addresses. */
  readonly environment: Readonly<Record<string, string>>;
  /** Requests a second where the user names no rate. */
  readonly defaultRate: string;
  close(): Promise<void>;
}

/** The synthetic market that `--source sandbox` and `asx sandbox` show when no seed is named. */
export const DEFAULT_SEED = 1;

/** Opens the source of a run: `live`, `sandbox` (a synthetic market started in this process) or a base address. */
export async function openUpstream(source: string, now: () => number): Promise<Upstream> {
  if (source === "live") return { environment: {}, defaultRate: "5", close: async () => undefined };
  if (source !== "sandbox")
    return { environment: addressesBelow(source), defaultRate: "5", close: async () => undefined };
  const sandbox = await startSandbox({ market: createSyntheticMarket({ seed: DEFAULT_SEED, now }), now });
  // There is nobody to spare: the stand-in is ours alone.
  return { environment: addressesBelow(sandbox.url), defaultRate: "unlimited", close: () => sandbox.close() };
}

function addressesBelow(base: string): Record<string, string> {
  return {
    ASX_DIRECTORY_URL: `${base}${SANDBOX_PATHS.directory}`,
    ASX_OLDER_DIRECTORY_URL: `${base}${SANDBOX_PATHS.olderDirectory}`,
    YAHOO_URL: base,
  };
}
