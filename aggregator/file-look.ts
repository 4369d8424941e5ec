import { readFileSync } from "node:fs";
import * as z from "zod";
import { messageOf } from "../domain/errors.ts";
import { runKey } from "../domain/object-keys.ts";
import { checkSeal } from "../stores/file-seal.ts";
import { checkFrame } from "../stores/parquet-frame.ts";
import { sha256 } from "../stores/sha256.ts";
import type { FileRows } from "./file-rows.ts";
import type { LocalFile, WantedFile } from "./local-files.ts";

/** What was found in a file that is right. */
export const knownFile = z.object({
  sha256: z.string(),
  rows: z.number(),
  /** The first symbol and the last; null where there is no row. */
  symbols: z.tuple([z.string(), z.string()]).readonly().nullable(),
  /** Columns that it lacks: they are null. */
  lacks: z.array(z.string()),
  /** The types of its columns as far as they are not the usual ones. */
  types: z.string(),
  /** Whether its own seal vouches for it. */
  isSealed: z.boolean(),
  /** The mark of the local file whose bytes were looked at. */
  localMark: z.string(),
});
export type KnownFile = z.infer<typeof knownFile>;

/** What a look at the bytes gives; the rows are counted by the engine. */
export type Look = Omit<KnownFile, keyof FileRows>;

/** What mends a file that is not right. */
export const REMEDY = "restore it, or delete it and run the date again";

export type FormReader = typeof import("./file-form.ts").fileForm;

/** Where every file is remembered, the Parquet library of JavaScript is not even loaded. */
export async function formReader(): Promise<FormReader> {
  return (await import("./file-form.ts")).fileForm;
}

/** Looks at a file's bytes: what they are, or what is wrong with them. Nothing in them is trusted before hash or seal. */
export function look({ wanted, path, localMark }: LocalFile, formOf: FormReader): Look | string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    return `it cannot be read: ${messageOf(error)}; check its permissions, or try again`;
  }
  const hash = sha256(bytes);
  if (wanted.sha256 !== undefined && wanted.sha256 !== hash) return otherFile(wanted, hash);
  const seal = checkSeal(bytes);
  if (seal === "broken") return `it is damaged: its bytes are not those it was written with; ${REMEDY}`;
  try {
    checkFrame(bytes);
    const isVouchedFor = wanted.sha256 !== undefined || seal === "intact";
    const form = isVouchedFor ? formOf(bytes) : { lacks: [], types: "" };
    return { sha256: hash, ...form, isSealed: seal === "intact", localMark };
  } catch (error) {
    return `it is damaged or no batch file: ${messageOf(error)}; ${REMEDY}`;
  }
}

/** Why a file is not the one that is wanted. */
export function otherFile({ date, sha256: named }: WantedFile, found: string): string {
  return `it is not the file that ${runKey(date)} names: its SHA-256 is ${found}, not ${named}. A run of the date is under way or broke off, or the file was changed: run the date again`;
}
