/**
 * Compacts a store, and dies before one of its calls where that is asked for: what the call before did is done.
 *
 *   node compaction-child.ts STORE_FOLDER CACHE_FOLDER NOW_MS [CALL]
 *
 * Prints `begin` when the work begins, and `calls N` when it has ended.
 */
import type { ObjectStore } from "../../domain/object-store.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { openLibrary } from "./opened-library.ts";

const [folder = "", cacheDir = "", now = "", deadlyCall = "0"] = process.argv.slice(2);
let calls = 0;

async function counted<Result>(call: () => Promise<Result>): Promise<Result> {
  calls += 1;
  if (calls === Number(deadlyCall)) process.kill(process.pid, "SIGKILL");
  return call();
}

function counting(store: ObjectStore): ObjectStore {
  return {
    ...store,
    get: (key) => counted(() => store.get(key)),
    read: (key) => counted(() => store.read(key)),
    put: (key, bytes) => counted(() => store.put(key, bytes)),
    replace: (key, bytes, version) => counted(() => store.replace(key, bytes, version)),
    remove: (key) => counted(() => store.remove(key)),
    head: (key) => counted(() => store.head(key)),
    stat: (keys) => counted(() => store.stat(keys)),
    list: (prefix) => counted(() => store.list(prefix)),
    groups: (prefix, delimiter) => counted(() => store.groups(prefix, delimiter)),
  };
}

const library = await openLibrary(counting(createLocalStore(folder)), cacheDir, () => Number(now));
process.stdout.write("begin\n");
await library.compact();
process.stdout.write(`calls ${calls}\n`);
library.close();
