import * as z from "zod";
import { messageOf, StoredFileError } from "../domain/errors.ts";
import { parseCuratedKey } from "../domain/object-keys.ts";
import { parseInput } from "../domain/parse.ts";
import { compareSymbols } from "../domain/symbol.ts";
import { tradingDate } from "../domain/trading-date.ts";

const curatedKey = z
  .string()
  .refine((key) => parseCuratedKey(key) !== undefined, "expected the key of a compacted file");
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** What a compacted file holds of one date. */
export const curatedDay = z.object({
  rows: z.number().int().nonnegative(),
  /**
   * The raw-data files that were merged, and their hashes, a line a file as `sha256sum` writes it; and a line a backfill that
   * has the date, with the hash of its list of files.
   */
  sums: z.string(),
});
export type CuratedDay = z.infer<typeof curatedDay>;

/** A compacted file: bars of several dates, sorted by symbol and date, each pair once. */
export const curatedFile = z.object({
  key: curatedKey,
  sha256,
  bytes: z.number().int().positive(),
  rows: z.number().int().nonnegative(),
  /** By date: every date that it holds, one without bars too. */
  days: z.record(tradingDate, curatedDay),
});
export type CuratedFile = z.infer<typeof curatedFile>;

/** What a compacted file is of: `YYYY` or `YYYY-MM-DD`. */
export function curatedPeriod({ key }: Pick<CuratedFile, "key">): string {
  return parseCuratedKey(key)?.period ?? "";
}

/** Compacted files in the order of a manifest: by what they are of. */
export function inOrder(files: readonly CuratedFile[]): CuratedFile[] {
  return files.toSorted((left, right) => compareSymbols(curatedPeriod(left), curatedPeriod(right)));
}

/** `curated/manifest.json`: the compacted files that count. What it does not name is not there. */
export const curatedManifest = z.object({
  version: z.literal(1),
  /** ISO 8601, UTC. */
  updatedAt: z.iso.datetime(),
  files: z.array(curatedFile),
  /** Files that no longer count, to be removed when no reader can still be at them. */
  superseded: z.array(z.object({ key: curatedKey, since: z.iso.datetime() })),
});
export type CuratedManifest = z.infer<typeof curatedManifest>;

/**
 * Reads a stored manifest.
 * @throws StoredFileError that says what is wrong: all it names can be made again.
 */
export function parseCuratedManifest(key: string, bytes: Uint8Array): CuratedManifest {
  try {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return parseInput(curatedManifest, json, "manifest");
  } catch (cause) {
    throw new StoredFileError(
      `${key} is damaged or no manifest: ${messageOf(cause)}; delete it and compact again, the daily files are untouched`,
      { cause },
    );
  }
}
