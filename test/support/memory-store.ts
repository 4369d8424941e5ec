import { StoreConflictError } from "../../domain/errors.ts";
import { assertSafeKey } from "../../domain/object-keys.ts";
import type { ObjectStore, StoredObject } from "../../domain/object-store.ts";
import { groupKeys } from "../../stores/key-groups.ts";
import { sha256 } from "../../stores/sha256.ts";

/** A store in memory that counts what is asked of it. */
export interface MemoryStore extends ObjectStore {
  readonly objects: Map<string, Uint8Array>;
  /** `get raw-data/…`, `put runs/…`, in the order they came. */
  readonly calls: string[];
}

export function createMemoryStore(): MemoryStore {
  const objects = new Map<string, Uint8Array>();
  const calls: string[] = [];
  const called = (verb: string, key: string): void => {
    if (verb !== "list") assertSafeKey(key);
    calls.push(`${verb} ${key}`);
  };
  const look = (key: string): StoredObject | undefined => {
    const bytes = objects.get(key);
    return bytes === undefined ? undefined : { key, bytes: bytes.length, mark: sha256(bytes) };
  };
  return {
    objects,
    calls,
    url: "memory:",
    locate(key) {
      assertSafeKey(key);
      return `memory:${key}`;
    },
    async get(key) {
      called("get", key);
      return objects.get(key)?.slice();
    },
    async read(key) {
      called("read", key);
      const bytes = objects.get(key)?.slice();
      return bytes === undefined ? undefined : { bytes, version: sha256(bytes) };
    },
    async put(key, bytes) {
      called("put", key);
      objects.set(key, new Uint8Array(bytes));
    },
    async replace(key, bytes, version) {
      called("replace", key);
      const before = objects.get(key);
      if ((before === undefined ? undefined : sha256(before)) !== version) {
        throw new StoreConflictError(`memory:${key} was changed by another writer`);
      }
      objects.set(key, new Uint8Array(bytes));
    },
    async remove(key) {
      called("remove", key);
      objects.delete(key);
    },
    async head(key) {
      called("head", key);
      return look(key);
    },
    async stat(keys) {
      for (const key of keys) called("stat", key);
      return keys.map(look);
    },
    async list(prefix) {
      called("list", prefix);
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort();
      return keys.map(look).filter((object) => object !== undefined);
    },
    async groups(prefix, delimiter) {
      called("list", prefix);
      return groupKeys(
        [...objects.keys()].filter((key) => key.startsWith(prefix)),
        prefix,
        delimiter,
      );
    },
    localPath(key) {
      assertSafeKey(key);
      return undefined;
    },
  };
}
