import type { ObjectStore, StoredObject } from "../domain/object-store.ts";

/** A store, and every object of it as it was listed last. */
export interface NotedStore {
  readonly store: ObjectStore;
  /** The object as it was listed last; undefined where it never was, or was found absent. */
  noted(key: string): StoredObject | undefined;
}

/** Notes what a store's listings show, in memory, so that a reader's last look can be kept. */
export function noteObjects(store: ObjectStore): NotedStore {
  const objects = new Map<string, StoredObject>();
  const noting: ObjectStore = {
    ...store,

    async list(prefix) {
      const listed = await store.list(prefix);
      for (const object of listed) objects.set(object.key, object);
      return listed;
    },

    async stat(keys) {
      const found = await store.stat(keys);
      for (const [index, key] of keys.entries()) {
        const object = found[index];
        if (object === undefined) objects.delete(key);
        else objects.set(key, object);
      }
      return found;
    },
  };
  return { store: noting, noted: (key) => objects.get(key) };
}
