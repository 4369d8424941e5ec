import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The folder of real data beside the checkout; a fresh clone has none. */
const FOLDER = new URL("../../../shared/data/", import.meta.url);

/** Whether the real data is here. Where REAL_DATA=required, as in CI, it must be. */
export const hasRealData = existsSync(FOLDER);

if (!hasRealData && process.env["REAL_DATA"] === "required") {
  throw new Error(`REAL_DATA=required, but there is no ${fileURLToPath(FOLDER)}`);
}
if (!hasRealData) process.stderr.write(`Tests on real data are skipped: there is no ${fileURLToPath(FOLDER)}\n`);

/** The path of a file or folder of the real data. */
export function realDataPath(name: string): string {
  return fileURLToPath(new URL(name, FOLDER));
}

/** The bytes of a file of the real data. */
export function readRealData(name: string): Uint8Array {
  return readFileSync(new URL(name, FOLDER));
}

/** The names of the files in a folder of the real data. */
export function realDataFiles(folder: string): string[] {
  return readdirSync(new URL(folder, FOLDER));
}
