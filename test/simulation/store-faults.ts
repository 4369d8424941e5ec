import { StoreConflictError, StoreRefusedError, StoreUnavailableError } from "../../domain/errors.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import type { Clock } from "../../lambdas/runtime/clock.ts";
import type { Trouble } from "./trouble.ts";

/** Longest that a call stalls, in milliseconds. */
const LONGEST_STALL_MS = 120_000;

type Verb = "read" | "list" | "write" | "replace";

/** A store that fails, stalls and loses answers as the trouble of a scenario wants it. */
export function faultyStore(store: ObjectStore, trouble: Trouble, clock: Clock): ObjectStore {
  function failing(verb: Verb): "store-read-fails" | "store-listing-fails" | "store-write-fails" {
    if (verb === "read") return "store-read-fails";
    return verb === "list" ? "store-listing-fails" : "store-write-fails";
  }

  async function call<Result>(verb: Verb, key: string, method: () => Promise<Result>): Promise<Result> {
    if (!trouble.isOn) return method();
    const changes = verb === "write" || verb === "replace";
    if (trouble.isDue("store-stalls")) {
      trouble.note("store-stalls");
      await clock.sleep(Math.ceil(trouble.random() * LONGEST_STALL_MS));
    }
    const fails = failing(verb);
    if (trouble.isDue(fails)) {
      trouble.note(fails);
      throw new StoreUnavailableError(`${key}: 503 Slow Down`);
    }
    if (trouble.isDue("store-refuses")) {
      trouble.note("store-refuses");
      throw new StoreRefusedError(`${key}: 403 Forbidden`);
    }
    if (verb === "replace" && trouble.isDue("store-conflicts")) {
      trouble.note("store-conflicts");
      throw new StoreConflictError(`${key}: 409 ConditionalRequestConflict`);
    }
    const result = await method();
    if (changes && trouble.isDue("store-answer-lost")) {
      trouble.note("store-answer-lost");
      // A client that asks again by itself is told that the object has changed: by itself.
      if (verb === "replace" && trouble.random() < 0.5) throw new StoreConflictError(`${key} has changed`);
      throw new StoreUnavailableError(`${key}: the connection broke`);
    }
    return result;
  }

  return {
    url: store.url,
    locate: (key) => store.locate(key),
    get: (key) => call("read", key, () => store.get(key)),
    read: (key) => call("read", key, () => store.read(key)),
    head: (key) => call("read", key, () => store.head(key)),
    stat: (keys) => call("list", keys[0] ?? "", () => store.stat(keys)),
    list: (prefix) => call("list", prefix, () => store.list(prefix)),
    groups: (prefix, delimiter) => call("list", prefix, () => store.groups(prefix, delimiter)),
    localPath: (key) => store.localPath(key),
    remove: (key) => call("write", key, () => store.remove(key)),
    put: (key, bytes) => call("write", key, () => store.put(key, bytes)),
    replace: (key, bytes, version) => call("replace", key, () => store.replace(key, bytes, version)),
  };
}
