import { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type _Object as ListedContent,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
  type S3ClientConfig,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import pLimit from "p-limit";
import { StoreConflictError, StoreRefusedError, StoreUnavailableError } from "../domain/errors.ts";
import { assertSafeKey } from "../domain/object-keys.ts";
import type { ObjectStore, StoredObject, VersionedObject } from "../domain/object-store.ts";
import { compareSymbols } from "../domain/symbol.ts";
import { listingPrefixes } from "./listing-prefixes.ts";

/** The largest object read into memory, in bytes: far above a year of bars. */
const LARGEST_OBJECT_BYTES = 256 * 1024 * 1024;

/** The SDK waits for ever by default; these bound the connection and the silence between bytes. */
const CLIENT_DEFAULTS = {
  maxAttempts: 5,
  followRegionRedirects: true,
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 15_000, throwOnRequestTimeout: true },
} satisfies S3ClientConfig;

/**
 * Reads under way at a time. The SDK's client has 50 sockets, and its time-outs run while a request waits for one:
 * however many reads are asked for, none waits there, and writes find a socket free.
 */
const PARALLEL_READS = 32;
/** Listings of one look at many objects under way at a time. */
const PARALLEL_LISTINGS = 8;

/** Bounds a body's arrival, in milliseconds: the client's own time-outs end with the answer's headers. */
const BODY_TIMEOUT_MS = 60_000;

/** How long is waited, in milliseconds. */
export interface S3StoreTimeouts {
  /** For an object's bytes, once its answer has begun: a minute unless given. */
  readonly bodyTimeoutMs?: number | undefined;
  /** For a page of a listing, from the first try to the last; as long as the SDK tries unless given. */
  readonly listingTimeoutMs?: number | undefined;
}

/** Where an S3 store lies. */
export interface S3Location {
  readonly bucket: string;
  /** Folder inside the bucket, without slashes at its ends; empty for the bucket itself. */
  readonly prefix: string;
}

/** A store in an S3 bucket, or in a folder of one. Credentials, region and endpoint are the AWS SDK's usual ones. */
export function createS3Store(
  { bucket, prefix }: S3Location,
  configuration: S3ClientConfig = {},
  { bodyTimeoutMs = BODY_TIMEOUT_MS, listingTimeoutMs }: S3StoreTimeouts = {},
): ObjectStore {
  const client = new S3Client({ ...CLIENT_DEFAULTS, ...configuration });
  const reads = pLimit(PARALLEL_READS);
  const below = prefix === "" ? "" : `${prefix}/`;
  const url = `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}`;

  function objectName(key: string): { Bucket: string; Key: string } {
    assertSafeKey(key);
    return { Bucket: bucket, Key: `${below}${key}` };
  }

  /** A page of a listing. The SDK's own time-outs are those of one try. */
  function listed(asked: ListObjectsV2CommandInput): Promise<ListObjectsV2CommandOutput> {
    const bounds = listingTimeoutMs === undefined ? {} : { abortSignal: AbortSignal.timeout(listingTimeoutMs) };
    return client.send(new ListObjectsV2Command(asked), bounds);
  }

  /** A HEAD request cannot tell a missing bucket from a missing key; a listing can, and gives the key itself first. */
  async function look(key: string): Promise<StoredObject | undefined> {
    const { Bucket, Key } = objectName(key);
    const page = await listed({ Bucket, Prefix: Key, MaxKeys: 1 });
    const [first] = page.Contents ?? [];
    return first?.Key === Key ? listedObject(key, first) : undefined;
  }

  /** S3 answers 403 for a missing key to whom it lets list just some prefixes: what may be listed and is not there, is absent. */
  async function isHiddenAbsence(error: unknown, key: string): Promise<boolean> {
    if (!(error instanceof S3ServiceException) || error.name !== "AccessDenied") return false;
    try {
      return (await look(key)) === undefined;
    } catch {
      return false; // the refusal to read is what is reported
    }
  }

  async function read(key: string): Promise<VersionedObject | undefined> {
    const name = objectName(key);
    try {
      const answer = await client.send(new GetObjectCommand(name));
      if ((answer.ContentLength ?? 0) > LARGEST_OBJECT_BYTES) {
        if (answer.Body instanceof Readable) answer.Body.destroy();
        throw new StoreRefusedError(
          `${url}/${key} has ${answer.ContentLength} bytes; at most ${LARGEST_OBJECT_BYTES} are read`,
        );
      }
      if (answer.Body === undefined || answer.ETag === undefined) {
        throw new StoreUnavailableError(`${url}/${key} came without a body or an ETag; try again`);
      }
      return { bytes: await readWhole(answer.Body, `${url}/${key}`, bodyTimeoutMs), version: answer.ETag };
    } catch (error) {
      if (isAbsent(error) || (await isHiddenAbsence(error, key))) return undefined;
      throw storeError(`cannot read ${url}/${key}`, error);
    }
  }

  async function head(key: string): Promise<StoredObject | undefined> {
    assertSafeKey(key);
    try {
      return await look(key);
    } catch (error) {
      throw storeError(`cannot look at ${url}/${key}`, error);
    }
  }

  /** Every page of a listing. */
  async function* pages(listPrefix: string, delimiter?: string): AsyncGenerator<ListObjectsV2CommandOutput> {
    const seenTokens = new Set<string>();
    const asked = { Bucket: bucket, Prefix: `${below}${listPrefix}`, Delimiter: delimiter };
    let token: string | undefined;
    try {
      for (;;) {
        const page = await listed({ ...asked, ContinuationToken: token });
        yield page;
        if (page.IsTruncated !== true) return;
        token = page.NextContinuationToken;
        if (token === undefined || seenTokens.has(token)) {
          throw new StoreUnavailableError(`the listing of ${url}/${listPrefix} stopped before its end; try again`);
        }
        seenTokens.add(token);
      }
    } catch (error) {
      throw storeError(`cannot list ${url}/${listPrefix}`, error);
    }
  }

  async function list(listPrefix: string): Promise<StoredObject[]> {
    const objects: StoredObject[] = [];
    for await (const page of pages(listPrefix)) {
      for (const content of page.Contents ?? []) {
        if (content.Key !== undefined) objects.push(listedObject(content.Key.slice(below.length), content));
      }
    }
    return objects;
  }

  async function groups(listPrefix: string, delimiter: string): Promise<string[]> {
    const found = new Set<string>();
    for await (const page of pages(listPrefix, delimiter)) {
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) found.add(Key.slice(below.length));
      for (const { Prefix } of page.CommonPrefixes ?? []) {
        if (Prefix !== undefined) found.add(Prefix.slice(below.length, -delimiter.length));
      }
    }
    return [...found].sort(compareSymbols);
  }

  async function write(
    key: string,
    bytes: Uint8Array,
    condition?: Pick<PutObjectCommandInput, "IfMatch" | "IfNoneMatch">,
  ): Promise<void> {
    const name = objectName(key);
    try {
      await client.send(new PutObjectCommand({ ...name, ...condition, Body: bytes, ContentType: contentType(key) }));
    } catch (error) {
      if (condition !== undefined && isConflict(error)) {
        throw new StoreConflictError(`${url}/${key} was changed by another writer; read it again`, { cause: error });
      }
      throw storeError(`cannot write ${url}/${key}`, error);
    }
  }

  return {
    url,

    locate(key) {
      assertSafeKey(key);
      return `${url}/${key}`;
    },

    get: async (key) => (await reads(read, key))?.bytes,

    read: (key) => reads(read, key),

    put: (key, bytes) => write(key, bytes),

    replace: (key, bytes, version) =>
      write(key, bytes, version === undefined ? { IfNoneMatch: "*" } : { IfMatch: version }),

    async remove(key) {
      const name = objectName(key);
      try {
        await client.send(new DeleteObjectCommand(name));
      } catch (error) {
        if (!isAbsent(error)) throw storeError(`cannot remove ${url}/${key}`, error);
      }
    },

    head: (key) => reads(head, key),

    async stat(keys) {
      for (const key of keys) assertSafeKey(key);
      const asked = new Set(keys);
      const found = new Map<string, StoredObject>();
      const atATime = pLimit(PARALLEL_LISTINGS);
      try {
        await atATime.map(listingPrefixes(asked), async (prefix) => {
          for (const object of await reads(list, prefix)) if (asked.has(object.key)) found.set(object.key, object);
        });
      } finally {
        atATime.clearQueue(); // after an error nobody waits for the rest
      }
      return keys.map((key) => found.get(key));
    },

    list: (listPrefix) => reads(list, listPrefix),

    groups,

    localPath(key) {
      assertSafeKey(key);
      return undefined;
    },
  };
}

/** What a listing says of an object. Services that give no ETag are no S3, but some stand-ins; the time must do there. */
function listedObject(key: string, { Size, ETag, LastModified }: ListedContent): StoredObject {
  const bytes = Size ?? 0;
  return { key, bytes, mark: ETag ?? `${bytes}-${LastModified?.toISOString() ?? ""}` };
}

/** The SDK's body of an answer, as far as it is read here. */
interface AnswerBody {
  transformToByteArray(): Promise<Uint8Array>;
}

async function readWhole(body: AnswerBody, what: string, timeoutMs: number): Promise<Uint8Array> {
  const late = new StoreUnavailableError(`${what} did not arrive within ${timeoutMs} ms; try again`, {
    cause: new DOMException("the body stopped", "TimeoutError"),
  });
  const timer = setTimeout(() => {
    if (body instanceof Readable) body.destroy(late);
  }, timeoutMs);
  try {
    return await body.transformToByteArray();
  } finally {
    clearTimeout(timer);
  }
}

function contentType(key: string): string {
  if (key.endsWith(".json")) return "application/json";
  if (key.endsWith(".csv")) return "text/csv; charset=utf-8";
  if (key.endsWith(".parquet")) return "application/vnd.apache.parquet";
  return "application/octet-stream";
}

/** A missing key. A missing bucket is also 404, but a fault; a key one may not see is 403. */
function isAbsent(error: unknown): boolean {
  return error instanceof S3ServiceException && error.name === "NoSuchKey";
}

/** A condition that failed, a race between two conditions, or a condition on an object that is gone. */
const CONFLICTS: ReadonlySet<string> = new Set(["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"]);

function isConflict(error: unknown): boolean {
  return error instanceof S3ServiceException && CONFLICTS.has(error.name);
}

function storeError(what: string, cause: unknown): Error {
  if (cause instanceof StoreUnavailableError || cause instanceof StoreRefusedError) return cause;
  const isLate = cause instanceof Error && cause.name === "AbortError"; // by nobody but the signal of a listing
  const error = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  const detail = isLate ? "it did not answer in time" : error;
  const status = cause instanceof S3ServiceException ? (cause.$metadata.httpStatusCode ?? 0) : 0;
  if (status >= 300 && status < 500 && status !== 408 && status !== 409 && status !== 429) {
    return new StoreRefusedError(
      `${what}: ${detail} (HTTP ${status}); check the bucket's name, region and your permissions`,
      { cause },
    );
  }
  if (cause instanceof Error && /credentials|region is missing/i.test(`${cause.name} ${cause.message}`)) {
    return new StoreRefusedError(`${what}: ${detail}; set AWS_REGION and AWS credentials`, { cause });
  }
  return new StoreUnavailableError(`${what}: ${detail}; try again`, { cause });
}
