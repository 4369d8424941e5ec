import { messageOf, UpstreamRefusedError, UpstreamUnavailableError } from "../../domain/errors.ts";
import { boundedGet } from "../runtime/http.ts";
import { type RetryPolicy, withRetry } from "../runtime/retry.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Directory, parseDirectory } from "./asx-directory.ts";
import type { SymbolUpdaterConfig } from "./env.ts";

/** Bounds headers and body of one download, in milliseconds. */
export const DOWNLOAD_TIMEOUT_MS = 20_000;
/** Bounds the decoded body: the real file has about 200 kB. */
const LARGEST_BODY_BYTES = 5_000_000;

/** How a download from one address is repeated. */
export const DOWNLOAD_RETRY: RetryPolicy = {
  attempts: 3,
  firstDelayMs: 1_000,
  longestDelayMs: 5_000,
  longestRetryAfterMs: 30_000,
};

/** A directory, or why neither address gave one. */
export type Download =
  | { readonly directory: Directory; readonly troubles: readonly string[] }
  | { readonly directory: undefined; readonly troubles: readonly string[] };

/** Downloads the directory from the current address and, where that fails or gives no directory, from the older one. */
export async function downloadDirectory(config: SymbolUpdaterConfig, runtime: Runtime): Promise<Download> {
  const current = new URL(config.directoryUrl);
  if (config.directoryAccessToken !== undefined) current.searchParams.set("access_token", config.directoryAccessToken);
  const troubles: string[] = [];
  for (const url of [current, new URL(config.olderDirectoryUrl)]) {
    try {
      return { directory: await downloadFrom(url, config.userAgent, runtime), troubles };
    } catch (error) {
      const trouble = `no directory from ${url.host}: ${messageOf(error)}`;
      runtime.logger.warn(trouble, { error });
      troubles.push(trouble);
    }
  }
  return { directory: undefined, troubles };
}

function downloadFrom(url: URL, userAgent: string, runtime: Runtime): Promise<Directory> {
  const headers = { "user-agent": userAgent, accept: "text/csv" };
  const request = { url, headers, timeoutMs: DOWNLOAD_TIMEOUT_MS, maxBytes: LARGEST_BODY_BYTES };
  const download = async (): Promise<Directory> => {
    const answer = await boundedGet(runtime.fetch, request, runtime.clock);
    if (answer.status === 200) return parseDirectory(answer.body);
    const what = `HTTP ${answer.status}`;
    if (answer.status === 408 || answer.status === 429 || answer.status >= 500) {
      throw new UpstreamUnavailableError(what, { retryAfterMs: answer.retryAfterMs });
    }
    throw new UpstreamRefusedError(what);
  };
  return withRetry(download, DOWNLOAD_RETRY, runtime);
}
