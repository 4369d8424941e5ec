import * as z from "zod";
import { StoredFileError } from "../domain/errors.ts";
import type { ListingState } from "../domain/listings-file.ts";
import { listingsKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { decodeListings } from "../stores/listings-file.ts";
import type { CacheFolder } from "./cache-folder.ts";
import { isUnreached } from "./outage.ts";

const kept = z.object({ mark: z.string(), json: z.string() });
const KEPT = "listings/listings.json";

/** The file of listings, and its mark. */
export interface ReadListings {
  readonly mark: string;
  readonly state: ListingState;
}

/** Reads the store's file of listings: anew where it has changed. That of S3 is kept in the cache folder for later, and for an outage. */
export class ListingFileReader {
  readonly #store: ObjectStore;
  readonly #folder: CacheFolder;
  #last: ReadListings | undefined;

  constructor({ store, folder }: { readonly store: ObjectStore; readonly folder: CacheFolder }) {
    this.#store = store;
    this.#folder = folder;
  }

  /**
   * The file; undefined where it is absent or damaged: it is derived, and the lists have it all.
   * @param isOffline whether the store was just found out of reach: it is not asked again.
   */
  async read(isOffline = false): Promise<ReadListings | undefined> {
    if (isOffline) return this.#last ?? (await this.#kept());
    try {
      const mark = (await this.#store.head(listingsKey))?.mark;
      if (mark === undefined) return undefined;
      if (this.#last?.mark !== mark) this.#last = await this.#readAs(mark);
      return this.#last;
    } catch (error) {
      const last = isUnreached(error) ? (this.#last ?? (await this.#kept())) : undefined;
      if (last === undefined) throw error;
      return last;
    }
  }

  async #readAs(mark: string): Promise<ReadListings | undefined> {
    const isRemote = this.#store.localPath(listingsKey) === undefined;
    const last = isRemote ? await this.#kept() : undefined;
    if (last?.mark === mark) return last;
    const found = await this.#store.read(listingsKey);
    const state = found && decoded(found.bytes);
    if (found === undefined || state === undefined) return undefined;
    if (isRemote) {
      await this.#folder.writeJson(KEPT, { mark: found.version, json: new TextDecoder().decode(found.bytes) });
    }
    return { mark, state };
  }

  async #kept(): Promise<ReadListings | undefined> {
    const file = await this.#folder.readJson(KEPT, kept);
    const state = file && decoded(new TextEncoder().encode(file.json));
    return file && state && { mark: file.mark, state };
  }
}

function decoded(bytes: Uint8Array): ListingState | undefined {
  try {
    return decodeListings(bytes);
  } catch (error) {
    if (error instanceof StoredFileError) return undefined;
    throw error;
  }
}
