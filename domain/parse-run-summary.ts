import { messageOf, StoredFileError } from "./errors.ts";
import { parseInput } from "./parse.ts";
import { type RunSummary, runSummary } from "./run-summary.ts";

/**
 * Reads a stored run summary.
 * @throws StoredFileError that names the key and what is wrong.
 */
export function parseRunSummary(key: string, bytes: Uint8Array): RunSummary {
  try {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return parseInput(runSummary, json, "run summary");
  } catch (cause) {
    throw new StoredFileError(
      `${key} is damaged or no run summary: ${messageOf(cause)}; restore it, or delete it and run the date again`,
      { cause },
    );
  }
}
