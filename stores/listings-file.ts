import { messageOf, StoredFileError } from "../domain/errors.ts";
import { fromListingsFile, type ListingState, listingsFile, toListingsFile } from "../domain/listings-file.ts";
import { listingsKey } from "../domain/object-keys.ts";
import { parseInput } from "../domain/parse.ts";

/** The bytes of the stored file of listings over time: one line of JSON, the same for equal states. */
export function encodeListings(state: ListingState): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(toListingsFile(state))}\n`);
}

/**
 * Reads the stored file of listings over time.
 * @throws StoredFileError where it is damaged or of another form.
 */
export function decodeListings(bytes: Uint8Array): ListingState {
  try {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    const file = parseInput(listingsFile, json, "listings");
    const dates = file.lists.map(([date]) => date);
    if (dates.some((date, at) => date <= (dates[at - 1] ?? ""))) throw new Error("its lists are not in order of date");
    return fromListingsFile(file);
  } catch (cause) {
    throw new StoredFileError(
      `${listingsKey} is damaged or no file of listings: ${messageOf(cause)}; it is made anew by the next run, or by asx listings --rebuild`,
      { cause },
    );
  }
}
