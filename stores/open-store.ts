import { fileURLToPath } from "node:url";
import { InvalidInputError } from "../domain/errors.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { quote } from "../domain/text.ts";
import { createLocalStore } from "./local-store.ts";

const S3_ADDRESS = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;
/** Characters that no folder's name needs and that a terminal would obey. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;
const FOLDER_NAME = /^[A-Za-z0-9_=-][A-Za-z0-9._=-]*$/;

/** How a store is reached, beside its address. */
export interface StoreOptions {
  /** Address of an S3 service other than AWS's own; it is asked with the bucket in the path. */
  readonly endpoint?: string | undefined;
  /** Region of an S3 bucket, where it is known; else the AWS SDK's usual one. A bucket elsewhere is found by redirect. */
  readonly region?: string | undefined;
}

/** The S3 endpoint that environment variables name, as the AWS SDK knows them. */
export function endpointOf(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  return environment["AWS_ENDPOINT_URL_S3"] ?? environment["AWS_ENDPOINT_URL"];
}

/** What code of ours decides besides. */
export interface OpenStoreOptions extends StoreOptions {
  /** Time in which S3 answers for a page of a listing or is given up, in milliseconds; without it the SDK tries for longer. */
  readonly listingTimeoutMs?: number | undefined;
}

/** What an address says. */
type Address = { readonly folder: string } | { readonly bucket: string; readonly prefix: string };

/**
 * Opens the store of an address: `file:./data`, `file:///srv/data`, `s3://bucket` or `s3://bucket/folder`.
 * A relative folder is meant from the working directory. Nothing is touched yet.
 * @throws InvalidInputError for any other address.
 */
export async function openStore(url: string, options: OpenStoreOptions = {}): Promise<ObjectStore> {
  const address = addressOf(url);
  if ("folder" in address) return createLocalStore(address.folder);
  const { endpoint, region, listingTimeoutMs } = options;
  // The AWS SDK takes longer to load than all the rest: who reads a folder does not wait for it.
  const { createS3Store } = await import("./s3-store.ts");
  const configuration = {
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    ...(region !== undefined && { region }),
  };
  return createS3Store(address, configuration, { listingTimeoutMs });
}

/**
 * Refuses what {@link openStore} would.
 * @throws InvalidInputError for what is no address of a store.
 */
export function checkStoreAddress(url: string): void {
  addressOf(url);
}

function addressOf(url: string): Address {
  if (typeof url !== "string") throw refused(url); // a notebook need not know types
  if (url.startsWith("file:")) return { folder: folderOf(url) };
  const match = S3_ADDRESS.exec(url);
  const bucket = match?.[1];
  if (bucket === undefined) throw refused(url);
  const below = match?.[2] ?? "";
  const prefix = below.endsWith("/") ? below.slice(0, -1) : below;
  if (below !== "" && !prefix.split("/").every((name) => FOLDER_NAME.test(name))) throw refused(url);
  return { bucket, prefix };
}

function folderOf(url: string): string {
  try {
    const folder = url.startsWith("file://") ? fileURLToPath(url) : url.slice("file:".length);
    if (folder !== "" && folder !== "/" && !folder.startsWith("~") && !CONTROL.test(folder)) return folder;
  } catch (cause) {
    throw refused(url, cause);
  }
  throw refused(url);
}

function refused(url: unknown, cause?: unknown): InvalidInputError {
  const given = typeof url === "string" ? quote(url, 120) : `of type ${typeof url}`;
  return new InvalidInputError(
    `store ${given} is no address of a store; allowed are file:FOLDER (file:./data) and s3://BUCKET[/FOLDER]`,
    { cause },
  );
}
