import * as z from "zod";
import type { CorporateAction } from "../domain/corporate-action.ts";
import { StoredFileError } from "../domain/errors.ts";
import { actionsPrefix, parseActionsKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import type { CacheFolder } from "./cache-folder.ts";
import { isUnreached, type Outage } from "./outage.ts";

const listing = z.object({ atMs: z.number(), marks: z.array(z.tuple([z.string(), z.string()])) });
type Listing = z.infer<typeof listing>;
const copy = z.object({ mark: z.string(), csv: z.string() });

const LISTING = "actions/years.json";

/** What the files are read from and with. */
export interface ActionFilesParts {
  readonly store: ObjectStore;
  readonly folder: CacheFolder;
  readonly outage: Outage;
  /** The time, in milliseconds since 1970. */
  readonly now: () => number;
}

/** What the files of actions hold. */
export interface FiledActions {
  readonly actions: readonly CorporateAction[];
  /** Files that cannot be read. */
  readonly damaged: readonly StoredFileError[];
  /** Changes whenever the files do. */
  readonly mark: string;
}

type YearState = readonly CorporateAction[] | StoredFileError;

/** The stored files of actions. Those of S3 are kept in the cache folder, and read there where S3 cannot be reached. */
export class ActionFiles {
  readonly #parts: ActionFilesParts;
  readonly #read = new Map<string, { readonly mark: string; readonly state: YearState }>();

  constructor(parts: ActionFilesParts) {
    this.#parts = parts;
  }

  /**
   * Every file as it is now. What was read before is not read again while its mark is the same.
   * @param isOffline whether the store was just found out of reach: it is not asked again.
   * @throws StoreUnavailableError where the store cannot be reached and the cache does not hold the files.
   */
  async read(isOffline: boolean): Promise<FiledActions> {
    const { marks } = (isOffline ? await this.#lastMarks() : undefined) ?? (await this.#marks());
    const states = await Promise.all(marks.map(([key, mark]) => this.#year(key, mark)));
    return {
      actions: states.flatMap((state) => (state instanceof StoredFileError ? [] : state)),
      damaged: states.filter((state) => state instanceof StoredFileError),
      mark: marks.map(([key, mark]) => `${key} ${mark}`).join(" "),
    };
  }

  async #marks(): Promise<Listing> {
    const { store, folder, outage, now } = this.#parts;
    const atMs = now();
    try {
      const objects = await store.list(actionsPrefix);
      const marks = objects
        .filter(({ key }) => parseActionsKey(key) !== undefined)
        .map(({ key, mark }): [string, string] => [key, mark]);
      if (this.#isRemote) await folder.writeJson(LISTING, { atMs, marks });
      return { atMs, marks };
    } catch (error) {
      if (!isUnreached(error)) throw error;
      const last = await this.#lastMarks();
      if (last === undefined) throw error;
      outage.begins(error, new Date(last.atMs));
      return last;
    }
  }

  #lastMarks(): Promise<Listing | undefined> {
    return this.#parts.folder.readJson(LISTING, listing);
  }

  async #year(key: string, mark: string): Promise<YearState> {
    const known = this.#read.get(key);
    if (known?.mark === mark) return known.state;
    const csv = await this.#csv(key, mark);
    if (csv === undefined) return []; // removed since it was listed
    // Most sessions of a reader do not adjust, and the CSV library takes its time to load.
    const { decodeActionsCsv } = await import("../stores/actions-csv.ts");
    let state: YearState;
    try {
      state = decodeActionsCsv(key, csv);
    } catch (error) {
      if (!(error instanceof StoredFileError)) throw error;
      state = error;
    }
    this.#read.set(key, { mark, state });
    return state;
  }

  async #csv(key: string, mark: string): Promise<Uint8Array | undefined> {
    const { store, folder } = this.#parts;
    const name = `${key}.json`;
    const kept = this.#isRemote ? await folder.readJson(name, copy) : undefined;
    if (kept?.mark === mark) return Buffer.from(kept.csv, "base64");
    const found = await store.read(key);
    if (found !== undefined && this.#isRemote) {
      await folder.writeJson(name, { mark: found.version, csv: Buffer.from(found.bytes).toString("base64") });
    }
    return found?.bytes;
  }

  get #isRemote(): boolean {
    return this.#parts.store.localPath(LISTING) === undefined;
  }
}
