/** An object as a listing shows it. */
export interface StoredObject {
  readonly key: string;
  /** Size in bytes. */
  readonly bytes: number;
  /** Changes whenever the object's bytes do; comparable only with marks of the same store as reached from this machine. */
  readonly mark: string;
}

/** An object's bytes, and a version that changes whenever they do. In S3 it is the mark that a listing gives. */
export interface VersionedObject {
  readonly bytes: Uint8Array;
  readonly version: string;
}

/**
 * Where data is kept: a bucket or a folder. Every method throws a StoreUnavailableError where trying
 * again can help and a StoreRefusedError where it cannot; an absent key is neither, it is undefined.
 */
export interface ObjectStore {
  /** The store's address, as a user would type it. */
  readonly url: string;
  /** An address of one object that a person can open or paste. */
  locate(key: string): string;
  /** The bytes of an object, or undefined where there is none. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** The bytes of an object with their version, or undefined where there is none. */
  read(key: string): Promise<VersionedObject | undefined>;
  /** Stores the bytes under the key, whole or not at all, replacing what was there. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /**
   * Stores the bytes only where the object still has the version that was read; undefined where there was none.
   * @throws StoreConflictError where another writer was there first. An answer that was lost on its way can look
   *   like that too: read again and compare.
   */
  replace(key: string, bytes: Uint8Array, version: string | undefined): Promise<void>;
  /** Removes an object; one that is not there is no error. Only for what nobody has to find: a removal cannot be undone. */
  remove(key: string): Promise<void>;
  /** Size and mark of an object, or undefined where there is none. */
  head(key: string): Promise<StoredObject | undefined>;
  /** The same of many objects, in the order asked, in few requests: of thousands too. */
  stat(keys: readonly string[]): Promise<(StoredObject | undefined)[]>;
  /** Every object whose key begins with the prefix, in order of key, however many there are. */
  list(prefix: string): Promise<StoredObject[]>;
  /**
   * What lies below a prefix, in short and in order: each key without its part after the delimiter, where it has one behind
   * the prefix, and each once. Of thousands of files a day that is one line a day.
   * @param delimiter one character: not every S3 service takes more.
   */
  groups(prefix: string, delimiter: string): Promise<string[]>;
  /** The absolute path of an object where the store's objects are files of this machine, whether it is there or not. */
  localPath(key: string): string | undefined;
}
