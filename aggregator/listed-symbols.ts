import pLimit from "p-limit";
import * as z from "zod";
import { AsxEodError, StoredFileError } from "../domain/errors.ts";
import { addLists, type DatedList, foldLists } from "../domain/listing-history.ts";
import { EMPTY_LISTING_STATE, type ListingState } from "../domain/listings-file.ts";
import { parseSymbolsKey, symbolsKey, symbolsPrefix } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { tradingDate } from "../domain/trading-date.ts";
import { sha256 } from "../stores/sha256.ts";
import type { StoredList } from "../stores/symbols-csv.ts";
import type { CacheFolder } from "./cache-folder.ts";
import { ListingFileReader } from "./listing-file-reader.ts";
import { isUnreached, type Outage } from "./outage.ts";

const listing = z.object({ atMs: z.number(), marks: z.array(z.tuple([tradingDate, z.string()])) });
type Listing = z.infer<typeof listing>;
const list = z.object({ mark: z.string(), csv: z.string() });

const LISTING = "symbols/dates.json";
/** Lists that are read at once where they are folded here. */
const LISTS_AT_ONCE = 16;
/** How long loads take what they know of the file, which changes once a day, for granted. */
const KNOWN_FOR_MS = 60_000;

/** What the lists are read from and with. */
export interface ListedSymbolsParts {
  readonly store: ObjectStore;
  readonly folder: CacheFolder;
  readonly outage: Outage;
  /** The time, in milliseconds since 1970. */
  readonly now: () => number;
}

/** The stored lists of symbols. Those of S3 are kept in the cache folder, and read there where S3 cannot be reached. */
export class ListedSymbols {
  readonly #parts: ListedSymbolsParts;
  readonly #file: ListingFileReader;
  /** The file as it was seen last, and when. */
  #known: { readonly atMs: number; readonly state: ListingState | undefined } | undefined;
  /** What was folded last, and of which lists. */
  #folded: { readonly of: string; readonly state: ListingState } | undefined;

  constructor(parts: ListedSymbolsParts) {
    this.#parts = parts;
    this.#file = new ListingFileReader(parts);
  }

  /**
   * The newest list of a date or before it; undefined where none is stored.
   * @param isOffline whether the store was just found out of reach: it is not asked again.
   * @throws StoreUnavailableError where the store cannot be reached and the list is not in the cache.
   */
  async newest(date: string, isOffline = false): Promise<StoredList | undefined> {
    const { marks } = (isOffline ? await this.#lastDates() : undefined) ?? (await this.#dates());
    const newest = marks.filter(([stored]) => stored <= date).at(-1);
    if (newest === undefined) return undefined;
    const key = symbolsKey(newest[0]);
    const csv = await this.#csv(key, newest[1]);
    // Most sessions of a reader ask for no list, and the CSV library takes its time to load.
    const { decodeSymbolsCsv } = await import("../stores/symbols-csv.ts");
    return csv === undefined ? undefined : { date: newest[0], key, listings: decodeSymbolsCsv(key, csv) };
  }

  /** The date of the oldest list; undefined where none is stored. */
  async firstDate(): Promise<string | undefined> {
    return (await this.#dates()).marks[0]?.[0];
  }

  /**
   * Every listing over time, as of all lists that are stored: by the store's file of listings where it has them all, else
   * those that it lacks are folded here. Watermarks are those of the file.
   * @param isOffline whether the store was just found out of reach: it is not asked again.
   * @throws StoreUnavailableError where the store cannot be reached and a list is not in the cache.
   */
  async history(isOffline = false): Promise<ListingState> {
    const { marks } = (isOffline ? await this.#lastDates() : undefined) ?? (await this.#dates());
    const file = await this.#file.read(isOffline);
    const of = JSON.stringify([file?.mark, marks]);
    if (this.#folded?.of !== of) this.#folded = { of, state: await this.#fold(file?.state, marks) };
    return this.#folded.state;
  }

  /**
   * The listings as the store's file has them, in one request a minute at most; undefined where there is none that can be
   * read. It never throws: a load goes without them.
   * @param isOffline whether the store was just found out of reach: it is not asked again.
   */
  async known(isOffline = false): Promise<ListingState | undefined> {
    const atMs = this.#parts.now();
    if (this.#known !== undefined && atMs - this.#known.atMs < KNOWN_FOR_MS) return this.#known.state;
    try {
      const state = (await this.#file.read(isOffline))?.state;
      if (!isOffline) this.#known = { atMs, state };
      return state;
    } catch (error) {
      if (error instanceof AsxEodError) return undefined;
      throw error;
    }
  }

  async #fold(known: ListingState | undefined, marks: Listing["marks"]): Promise<ListingState> {
    const dates = new Set(marks.map(([date]) => date));
    const folded = known && [...known.history.lists, ...known.unreadable].map(({ date }) => date);
    const newest = known?.history.lists.at(-1)?.date ?? "";
    const added = marks.filter(([date]) => folded?.includes(date) !== true);
    const isBehind = added.some(([date]) => date < newest) || folded?.some((date) => !dates.has(date)) === true;
    if (known === undefined || isBehind) {
      const history = foldLists(await this.#read(marks));
      return { ...EMPTY_LISTING_STATE, history, watermarks: known?.watermarks ?? EMPTY_LISTING_STATE.watermarks };
    }
    return added.length === 0 ? known : { ...known, history: addLists(known.history, await this.#read(added)) };
  }

  /** Lists in order of date. One that is damaged is left out, as it is where the store's file is made. */
  async #read(marks: Listing["marks"]): Promise<DatedList[]> {
    const { createListDecoder } = await import("../stores/list-decoder.ts");
    const decode = createListDecoder();
    const limit = pLimit(LISTS_AT_ONCE);
    const lists = marks.map(([date, mark]) =>
      limit(async (): Promise<DatedList[]> => {
        const csv = await this.#csv(symbolsKey(date), mark);
        if (csv === undefined) return [];
        try {
          return [{ date, sha256: sha256(csv), listings: decode(symbolsKey(date), csv) }];
        } catch (error) {
          if (error instanceof StoredFileError) return [];
          throw error;
        }
      }),
    );
    return (await Promise.all(lists)).flat();
  }

  async #dates(): Promise<Listing> {
    const { store, folder, outage, now } = this.#parts;
    const atMs = now();
    try {
      const objects = await store.list(symbolsPrefix);
      const marks = objects.flatMap(({ key, mark }): Listing["marks"] => {
        const date = parseSymbolsKey(key);
        return date === undefined ? [] : [[date, mark]];
      });
      if (this.#isRemote) await folder.writeJson(LISTING, { atMs, marks });
      return { atMs, marks };
    } catch (error) {
      if (!isUnreached(error)) throw error;
      const last = await this.#lastDates();
      if (last === undefined) throw error;
      outage.begins(error, new Date(last.atMs));
      return last;
    }
  }

  #lastDates(): Promise<Listing | undefined> {
    return this.#parts.folder.readJson(LISTING, listing);
  }

  async #csv(key: string, mark: string): Promise<Uint8Array | undefined> {
    const { store, folder } = this.#parts;
    const name = `${key}.json`;
    const kept = this.#isRemote ? await folder.readJson(name, list) : undefined;
    if (kept?.mark === mark) return new TextEncoder().encode(kept.csv);
    const found = await store.read(key);
    if (found !== undefined && this.#isRemote) {
      const csv = new TextDecoder("utf-8", { ignoreBOM: true }).decode(found.bytes);
      await folder.writeJson(name, { mark: found.version, csv });
    }
    return found?.bytes;
  }

  get #isRemote(): boolean {
    return this.#parts.store.localPath(LISTING) === undefined;
  }
}
