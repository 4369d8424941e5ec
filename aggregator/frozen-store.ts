import { StoreRefusedError, StoreUnavailableError } from "../domain/errors.ts";
import { backfillsPrefix, curatedManifestKey, runsPrefix } from "../domain/object-keys.ts";
import type { ObjectStore, StoredObject } from "../domain/object-store.ts";
import { groupKeys } from "../stores/key-groups.ts";
import type { LastLook } from "./last-looks.ts";

/**
 * A store as it was at a look: it lists the objects that were there then. It has the bytes of none but the manifest: what
 * is asked for beside the cache is an error that says so.
 * @param live the store that cannot be reached.
 */
export function freezeStore(live: ObjectStore, { files, manifest }: LastLook, cacheFolder: string): ObjectStore {
  const byKey = new Map(files.objects.map((object) => [object.key, object]));
  const absent = new Set(files.absent);
  const keys = [...byKey.keys()].sort();
  const { url, locate, localPath } = live;

  /** Raw-data files that a compacted one stood for were not looked at: whether they are there is not known. */
  function find(key: string): StoredObject | undefined {
    const object = byKey.get(key);
    const isListed = [runsPrefix, backfillsPrefix, curatedManifestKey].some((prefix) => key.startsWith(prefix));
    if (object === undefined && !isListed && !absent.has(key)) throw notInCache(key);
    return object;
  }

  function notInCache(key: string): StoreUnavailableError {
    return new StoreUnavailableError(
      `${locate(key)} is not in the cache (${cacheFolder}), and the store cannot be reached; try again when it can be`,
    );
  }

  async function read(key: string): Promise<{ bytes: Uint8Array; version: string } | undefined> {
    const object = find(key);
    if (object === undefined) return undefined;
    if (key === curatedManifestKey && manifest !== undefined) {
      return { bytes: new TextEncoder().encode(JSON.stringify(manifest)), version: object.mark };
    }
    throw notInCache(key);
  }

  async function refuse(key: string): Promise<never> {
    throw new StoreRefusedError(`${locate(key)} cannot be written: the store cannot be reached`);
  }

  return {
    url,
    locate,
    localPath,
    read,
    get: async (key) => (await read(key))?.bytes,
    put: refuse,
    replace: refuse,
    remove: refuse,
    head: async (key) => find(key),
    stat: async (asked) => asked.map(find),
    list: async (prefix) => keys.filter((key) => key.startsWith(prefix)).flatMap((key) => byKey.get(key) ?? []),
    groups: async (prefix, delimiter) =>
      groupKeys(
        keys.filter((key) => key.startsWith(prefix)),
        prefix,
        delimiter,
      ),
  };
}
