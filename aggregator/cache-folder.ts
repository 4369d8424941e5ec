import { createHash, hash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join, posix, resolve, win32 } from "node:path";
import { fileURLToPath } from "node:url";
import type { z } from "zod";
import { assertSafeKey } from "../domain/object-keys.ts";
import { codeOf } from "../stores/error-code.ts";
import { writeWholeFile } from "./whole-file.ts";

/** The folder of one store for what can be fetched or computed again. Anybody may delete it at any time. */
export interface CacheFolder {
  /** Absolute. The folder is made with the first write. */
  readonly path: string;
  /**
   * A JSON file parsed by a schema; undefined where it is absent, damaged (its first line is the hash of the rest),
   * unreadable or of another form: make it anew.
   * @param name as an object key: letters, digits, `. _ = -` and slashes.
   */
  readJson<Value>(name: string, schema: z.ZodType<Value>): Promise<Value | undefined>;
  /**
   * Writes a JSON file whole or not at all. A disk that is full or read-only is no error of the caller's: it is told
   * to `warn`, once, and everything is computed again the next time.
   */
  writeJson(name: string, value: unknown): Promise<void>;
  /** Removes a JSON file, if it is there and can be removed. */
  remove(name: string): Promise<void>;
}

/** Where a cache lies, and for which store. */
export interface CacheFolderOptions {
  /** Folder that the folders of all stores lie in. */
  readonly folder: string;
  readonly storeUrl: string;
  /** Address of an S3 service other than AWS's own, where buckets of the same name are others. */
  readonly endpoint?: string | undefined;
  readonly warn: (message: string) => void;
}

/** The cache folder of a store, in a place of its own below the folder given. Nothing is touched yet. */
export function openCacheFolder({ folder, storeUrl, endpoint, warn }: CacheFolderOptions): CacheFolder {
  const path = join(resolve(folder), storeFolderName(storeUrl, endpoint));
  let isWarned = false;

  return {
    path,

    async readJson(name, schema) {
      assertSafeKey(name);
      try {
        const [sum, text = ""] = (await readFile(join(path, name), "utf8")).split("\n");
        if (sum !== hash("sha256", text)) return undefined; // a digit that fell over would be believed
        const parsed = schema.safeParse(JSON.parse(text));
        return parsed.success ? parsed.data : undefined;
      } catch {
        return undefined; // absent or damaged: what it held is made again
      }
    },

    async writeJson(name, value) {
      assertSafeKey(name);
      const json = JSON.stringify(value);
      const text = `${hash("sha256", json)}\n${json}\n`;
      try {
        await writeWholeFile(join(path, name), text);
      } catch (error) {
        if (!isWarned) {
          warn(
            `cache folder ${path} cannot be written (${codeOf(error) ?? String(error)}), so that work is done again each time; free space there, or name another folder as cacheDir`,
          );
        }
        isWarned = true;
      }
    },

    async remove(name) {
      assertSafeKey(name);
      await rm(join(path, name), { force: true }).catch(() => undefined); // it takes room, and does no harm
    },
  };
}

/**
 * The folder for caches on this machine: `asx-eod` in XDG_CACHE_HOME where that is set, else where the system keeps them:
 * `~/.cache`, `~/Library/Caches` (macOS) or LOCALAPPDATA (Windows).
 */
export function defaultCacheDir(
  environment: Readonly<Record<string, string | undefined>>,
  homedir: string,
  platform: NodeJS.Platform = process.platform,
): string {
  const path = platform === "win32" ? win32 : posix;
  const absolute = (name: string): string | undefined => {
    const value = environment[name];
    return value !== undefined && path.isAbsolute(value) ? value : undefined; // a relative one is to be ignored (XDG)
  };
  const xdg = absolute("XDG_CACHE_HOME");
  if (xdg !== undefined) return path.join(xdg, "asx-eod");
  if (platform === "darwin") return path.join(homedir, "Library", "Caches", "asx-eod");
  if (platform === "win32") {
    return path.join(absolute("LOCALAPPDATA") ?? path.join(homedir, "AppData", "Local"), "asx-eod", "Cache");
  }
  return path.join(homedir, ".cache", "asx-eod");
}

/** What a person knows the store by, and what tells it from every other store, in a name of any file system. */
function storeFolderName(storeUrl: string, endpoint: string | undefined): string {
  const address = storeUrl.startsWith("file:") ? `file:${absoluteFolder(storeUrl)}` : storeUrl;
  const version = createHash("sha256")
    .update(JSON.stringify([address, endpoint ?? null]))
    .digest("hex");
  const readable = address
    .replace(/^[a-z0-9]+:\/*/i, "")
    .replaceAll(/[^A-Za-z0-9_-]+/g, "-")
    .slice(-60)
    .replaceAll(/^-+|-+$/g, "");
  return `${readable === "" ? "store" : readable}-${version.slice(0, 16)}`;
}

/** `file:./data` is another store in another working directory. */
function absoluteFolder(storeUrl: string): string {
  return storeUrl.startsWith("file://") ? fileURLToPath(storeUrl) : resolve(storeUrl.slice("file:".length));
}
