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

/** A directory, or none; and why the addresses before it, or both, gave none that can be taken. */
export interface Download {
  readonly directory: Directory | undefined;
  readonly troubles: readonly string[];
  /** Whether one of them gave a directory that was refused. */
  readonly refused: boolean;
}

/**
 * Downloads the directory from the current address and, where that fails or gives none that can be taken, from the older
 * one.
 * @param reasonToRefuse what is wrong with a directory that was read; undefined where it can be taken.
 */
export async function downloadDirectory(
  config: SymbolUpdaterConfig,
  runtime: Runtime,
  reasonToRefuse: (directory: Directory) => string | undefined = () => undefined,
): Promise<Download> {
  const current = new URL(config.directoryUrl);
  if (config.directoryAccessToken !== undefined) current.searchParams.set("access_token", config.directoryAccessToken);
  const troubles: string[] = [];
  let refused = false;
  for (const url of [current, new URL(config.olderDirectoryUrl)]) {
    try {
      const directory = await downloadFrom(url, config.userAgent, runtime);
      const reason = reasonToRefuse(directory);
      if (reason === undefined) return { directory, troubles, refused };
      refused = true;
      troubles.push(`the directory from ${url.host} ${reason}`);
    } catch (error) {
      const trouble = `no directory from ${url.host}: ${messageOf(error)}`;
      runtime.logger.warn(trouble, { error });
      troubles.push(trouble);
    }
  }
  return { directory: undefined, troubles, refused };
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
