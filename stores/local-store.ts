import { constants, type Dirent } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { StoreConflictError, StoreRefusedError, StoreUnavailableError } from "../domain/errors.ts";
import { assertSafeKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { compareSymbols } from "../domain/symbol.ts";
import { codeOf } from "./error-code.ts";
import { type FileLock, takeFileLock } from "./file-lock.ts";
import { fileObject, fileObjects, folderMark, type KeyedFile, settledMark } from "./file-objects.ts";
import { groupKeys } from "./key-groups.ts";
import { sha256 } from "./sha256.ts";

/** Codes of the file system that waiting can heal: no descriptors or memory left, busy, interrupted, I/O fault. */
const TRANSIENT_CODES: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "EAGAIN", "EBUSY", "EINTR", "EIO", "ENOMEM"]);

/**
 * A store in a folder: the key is the path below it. A put writes a hidden temporary file beside the
 * target, flushes it to disk and renames it, so that a reader sees the old object or the new one. A
 * replacement holds a lock beside the target while it compares and writes; the version is the SHA-256.
 * @param folder path of the folder; it is made on the first put.
 * @param now the time, in milliseconds since 1970, by which a dead writer's lock is known.
 */
export function createLocalStore(folder: string, now: () => number = Date.now): ObjectStore {
  const root = resolve(folder);
  let temporaryFiles = 0;
  /** What a folder of tens of thousands of files gave, while no name in it has changed. */
  const knownGroups = new Map<string, { readonly mark: string; readonly groups: string[] }>();

  function pathOf(key: string): string {
    assertSafeKey(key);
    return fileOf(key).path;
  }

  /** The file of a key that is safe; joining the path part by part would take half the time of a look at the file. */
  function fileOf(key: string): KeyedFile {
    return { key, path: `${root}${sep}${sep === "/" ? key : key.replaceAll("/", sep)}` };
  }

  /** A new file beside the target that no other writer has open, in this process or another. */
  async function openTemporary(path: string): Promise<{ file: FileHandle; temporaryPath: string }> {
    for (;;) {
      temporaryFiles += 1;
      const temporaryPath = join(dirname(path), `.${process.pid}-${temporaryFiles}.tmp`);
      try {
        return { file: await open(temporaryPath, "wx"), temporaryPath };
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
      }
    }
  }

  async function get(path: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(path);
    } catch (error) {
      if (isAbsent(error) || codeOf(error) === "EISDIR") return undefined;
      throw storeError(`cannot read ${path}`, error);
    }
  }

  async function lockOf(path: string): Promise<FileLock> {
    try {
      return await takeFileLock(path, now);
    } catch (error) {
      if (error instanceof StoreConflictError) throw error;
      throw storeError(`cannot lock ${path}`, error);
    }
  }

  async function put(path: string, bytes: Uint8Array): Promise<void> {
    let temporaryPath: string | undefined;
    try {
      await mkdir(dirname(path), { recursive: true });
      const temporary = await openTemporary(path);
      temporaryPath = temporary.temporaryPath;
      try {
        await temporary.file.writeFile(bytes);
        await temporary.file.sync();
      } finally {
        await temporary.file.close();
      }
      await rename(temporaryPath, path);
      await syncFolder(dirname(path));
    } catch (error) {
      if (temporaryPath !== undefined) await rm(temporaryPath, { force: true });
      throw storeError(`cannot write ${path}`, error);
    }
  }

  return {
    url: `file:${folder}`,

    locate(key) {
      assertSafeKey(key);
      return join(folder, ...key.split("/"));
    },

    get: async (key) => get(pathOf(key)),

    async read(key) {
      const bytes = await get(pathOf(key));
      return bytes === undefined ? undefined : { bytes, version: sha256(bytes) };
    },

    put: async (key, bytes) => put(pathOf(key), bytes),

    async replace(key, bytes, version) {
      const path = pathOf(key);
      const lock = await lockOf(path);
      try {
        const before = await get(path);
        if ((before === undefined ? undefined : sha256(before)) !== version) {
          throw new StoreConflictError(`${path} was changed by another writer; read it again`);
        }
        await put(path, bytes);
      } finally {
        await lock.release();
      }
    },

    async remove(key) {
      const path = pathOf(key);
      try {
        await rm(path, { force: true });
      } catch (error) {
        throw storeError(`cannot remove ${path}`, error);
      }
    },

    async head(key) {
      const path = pathOf(key);
      try {
        return fileObject({ key, path });
      } catch (error) {
        throw storeError(`cannot look at ${path}`, error);
      }
    },

    async stat(keys) {
      for (const key of keys) assertSafeKey(key);
      const files = keys.map(fileOf);
      try {
        return await fileObjects(files);
      } catch (error) {
        throw storeError(`cannot look at objects in ${root}`, error);
      }
    },

    async list(prefix) {
      const keys: string[] = [];
      const below = prefix.slice(0, prefix.lastIndexOf("/") + 1);
      if (below !== "") assertSafeKey(below.slice(0, -1));
      await collectKeys(root, below, prefix, keys);
      try {
        return (await fileObjects(keys.sort(compareSymbols).map(fileOf))).filter((object) => object !== undefined);
      } catch (error) {
        throw storeError(`cannot look at objects in ${root}`, error);
      }
    },

    async groups(prefix, delimiter) {
      const below = prefix.slice(0, prefix.lastIndexOf("/") + 1);
      if (below !== "") assertSafeKey(below.slice(0, -1));
      const folder = join(root, below);
      const question = `${prefix}\n${delimiter}`;
      const mark = folderMark(folder);
      const known = knownGroups.get(question);
      if (known !== undefined && known.mark === mark) return known.groups;
      const keys: string[] = [];
      const isFlat = await collectKeys(root, below, prefix, keys);
      const groups = groupKeys(keys, prefix, delimiter);
      if (isFlat && mark !== undefined && mark === settledMark(folder, now()))
        knownGroups.set(question, { mark, groups });
      return groups;
    },

    localPath: pathOf,
  };
}

/**
 * Adds the key of every file below `root/folderKey` that begins with the prefix. Hidden files are no objects.
 * @returns whether all lay in that one folder.
 */
async function collectKeys(root: string, folderKey: string, prefix: string, keys: string[]): Promise<boolean> {
  let isFlat = true;
  for (const entry of await entriesOf(join(root, folderKey))) {
    const key = `${folderKey}${entry.name}`;
    if (entry.name.startsWith(".") || !key.startsWith(prefix)) continue;
    if (entry.isDirectory()) {
      isFlat = false;
      await collectKeys(root, `${key}/`, prefix, keys);
    } else if (entry.isFile()) keys.push(key);
  }
  return isFlat;
}

async function entriesOf(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (isAbsent(error)) return [];
    throw storeError(`cannot list ${path}`, error);
  }
}

/** Flushes a folder's entries, so that a rename survives a power cut. Some file systems do not offer it. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } catch (error) {
    const code = codeOf(error);
    if (code !== "EINVAL" && code !== "EPERM" && code !== "ENOTSUP") throw error;
  } finally {
    await folder.close();
  }
}

function isAbsent(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

function storeError(what: string, cause: unknown): Error {
  const code = codeOf(cause);
  if (code !== undefined && TRANSIENT_CODES.has(code)) {
    return new StoreUnavailableError(`${what}: ${code}; try again`, { cause });
  }
  return new StoreRefusedError(
    `${what}: ${code ?? String(cause)}; check the path, its permissions and the free space`,
    { cause },
  );
}
