/** The public surface of the library: what a notebook imports. */
export type { Bar } from "../domain/bar.ts";
export { AsxEodError, DateNotStoredError, InvalidInputError, StoredFileError } from "../domain/errors.ts";
export type { StoreOptions } from "../stores/open-store.ts";
export { Aggregator } from "./aggregator.ts";
