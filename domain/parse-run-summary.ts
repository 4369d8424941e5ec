import { messageOf, StoredFileError } from "./errors.ts";
import { parseRawDataKey, parseRunKey } from "./object-keys.ts";
import { parseInput } from "./parse.ts";
import { type RunSummary, runSummary } from "./run-summary.ts";
import { quote } from "./text.ts";

/**
 * Reads a stored run summary.
 * @throws StoredFileError that names the key and what is wrong.
 */
export function parseRunSummary(key: string, bytes: Uint8Array): RunSummary {
  try {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    const summary = parseInput(runSummary, json, "run summary");
    checkKeys(key, summary);
    return summary;
  } catch (cause) {
    throw new StoredFileError(
      `${key} is damaged or no run summary: ${messageOf(cause)}; restore it, or delete it and run the date again`,
      { cause },
    );
  }
}

/** A summary is of its key's date and names that date's batch files alone: what it names is read. */
function checkKeys(key: string, { date, batches }: RunSummary): void {
  if (parseRunKey(key) !== date) throw new Error(`it is of ${date}`);
  for (const batch of batches) {
    if (batch.key !== null && parseRawDataKey(batch.key)?.date !== date) {
      throw new Error(`it names ${quote(batch.key)}, which is no batch file of ${date}`);
    }
  }
}
