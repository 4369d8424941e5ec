import * as z from "zod";
import { parseInput } from "../../domain/parse.ts";
import { marketClosures, symbolList, upstreamAddress, userAgent, wholeNumber } from "../runtime/environment.ts";
import type { Environment } from "../runtime/runtime.ts";

const symbolUpdaterEnvironment = z.object({
  ASX_DIRECTORY_URL: upstreamAddress.default(
    "https://asx.api.markitdigital.com/asx-research/1.0/companies/directory/file",
  ),
  /** Circulates publicly and may be rotated; the address has been seen to answer with and without it. */
  ASX_DIRECTORY_ACCESS_TOKEN: z.string().min(1).max(200).optional(),
  ASX_OLDER_DIRECTORY_URL: upstreamAddress.default("https://www.asx.com.au/asx/research/ASXListedCompanies.csv"),
  USER_AGENT: userAgent,
  BATCH_SIZE: wholeNumber(1, 1000).default(100),
  MAX_CONCURRENCY: wholeNumber(1, 40).default(10),
  EXTRA_SYMBOLS: symbolList,
  MARKET_CLOSURES: marketClosures,
});

/** How the symbol updater is set up. */
export interface SymbolUpdaterConfig {
  readonly directoryUrl: string;
  readonly directoryAccessToken: string | undefined;
  readonly olderDirectoryUrl: string;
  readonly userAgent: string;
  readonly batchSize: number;
  /** Batches that the workflow's Map state runs at the same time. */
  readonly maxConcurrency: number;
  /** Symbols to fetch besides those of the directory, such as ETFs. */
  readonly extraSymbols: readonly string[];
  readonly marketClosures: readonly string[];
}

/** Reads the symbol updater's environment variables. Throws an InvalidInputError that names the bad one. */
export function parseSymbolUpdaterEnvironment(environment: Environment): SymbolUpdaterConfig {
  const parsed = parseInput(symbolUpdaterEnvironment, environment, "environment");
  return {
    directoryUrl: parsed.ASX_DIRECTORY_URL,
    directoryAccessToken: parsed.ASX_DIRECTORY_ACCESS_TOKEN,
    olderDirectoryUrl: parsed.ASX_OLDER_DIRECTORY_URL,
    userAgent: parsed.USER_AGENT,
    batchSize: parsed.BATCH_SIZE,
    maxConcurrency: parsed.MAX_CONCURRENCY,
    extraSymbols: parsed.EXTRA_SYMBOLS,
    marketClosures: parsed.MARKET_CLOSURES,
  };
}
