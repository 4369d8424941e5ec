/** A process of its own that fetches all raw data of a bucket into a cache, and prints what became of it. */
import { openCacheFolder } from "../../aggregator/cache-folder.ts";
import { ObjectCache } from "../../aggregator/object-cache.ts";
import { createS3Store } from "../../stores/s3-store.ts";
import { s3Configuration } from "./s3-server.ts";

const [endpoint = "", bucket = "", folder = "", prefix = "raw-data/"] = process.argv.slice(2);
const store = createS3Store({ bucket, prefix: "" }, { ...s3Configuration(endpoint), maxAttempts: 1 });
const warnings: string[] = [];
const cacheFolder = openCacheFolder({
  folder,
  storeUrl: store.url,
  endpoint,
  warn: (message) => warnings.push(message),
});
const report: Record<string, unknown> = { warnings };
try {
  report["results"] = [...(await new ObjectCache(store, cacheFolder).fetch(await store.list(prefix)))];
} catch (error) {
  report["error"] = error instanceof Error ? { name: error.name, message: error.message } : String(error);
}
for (const name of ["first.json", "second.json"]) await cacheFolder.writeJson(name, { text: "x".repeat(300_000) });
process.stdout.write(JSON.stringify(report));
