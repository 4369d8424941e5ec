import type { Listing } from "../domain/listing.ts";
import { decodeSymbolsCsv, SYMBOLS_CSV_COLUMNS } from "./symbols-csv.ts";

const HEADER = SYMBOLS_CSV_COLUMNS.join(",");
/** The end of a line that is written plainly: its market cap, or none. */
const PLAIN_CAP = /^\d{0,15}$/;

/** Reads a stored list; the market caps are left out. Throws a StoredFileError that names the key. */
export type ListDecoder = (key: string, bytes: Uint8Array) => Listing[];

/**
 * A decoder for many lists. From one day to the next hardly a line changes but for its market cap, and reading CSV takes
 * most of the time: each line without it is read once.
 */
export function createListDecoder(): ListDecoder {
  const known = new Map<string, Listing>();
  return (key, bytes) => {
    const [header, ...lines] = new TextDecoder().decode(bytes).split("\n");
    if (lines.at(-1) === "") lines.pop();
    const whole = (): Listing[] => decodeSymbolsCsv(key, bytes).map(withoutCap);
    if (header !== HEADER || !lines.every(isPlain)) return whole();
    const unknown = lines.filter((line) => !known.has(withoutCapText(line)));
    if (unknown.some(isOpen)) return whole();
    if (unknown.length > 0) {
      const read = decodeSymbolsCsv(key, new TextEncoder().encode([HEADER, ...unknown].join("\n")));
      if (read.length !== unknown.length) return whole();
      for (const [at, listing] of read.entries()) known.set(withoutCapText(unknown[at] ?? ""), withoutCap(listing));
    }
    return lines.flatMap((line) => known.get(withoutCapText(line)) ?? []);
  };
}

function withoutCap(listing: Listing): Listing {
  return { ...listing, marketCap: null };
}

function withoutCapText(line: string): string {
  return line.slice(0, line.lastIndexOf(","));
}

function isPlain(line: string): boolean {
  return PLAIN_CAP.test(line.slice(line.lastIndexOf(",") + 1)) && line.includes(",");
}

/** Whether a quoted text goes on in the next line. */
function isOpen(line: string): boolean {
  return line.split('"').length % 2 === 0;
}
