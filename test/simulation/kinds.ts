/** Every kind of fault that a scenario can be about. */
import { FAULT_NAMES, FAULTS, type FaultName } from "../../sandbox/faults.ts";

/** A kind of fault: what happens, and its entries in the catalogue of failures. */
export interface Kind {
  readonly happens: string;
  readonly catalogue: readonly string[];
}

/** Faults of the store. */
export const STORE_KINDS = {
  "store-read-fails": { happens: "a read fails", catalogue: ["O04"] },
  "store-listing-fails": { happens: "a listing fails", catalogue: ["O04"] },
  "store-write-fails": { happens: "a write fails before it is done", catalogue: ["O04"] },
  "store-answer-lost": { happens: "a write is done, and fails for the writer", catalogue: ["O11"] },
  "store-stalls": { happens: "a call takes up to two minutes", catalogue: ["L11"] },
  "store-conflicts": { happens: "a conditional write is turned away by a race", catalogue: ["O03"] },
  "store-refuses": { happens: "a call is refused with 403", catalogue: ["O09"] },
} as const satisfies Record<string, Kind>;

/** Faults of the processes that do the work. */
export const PROCESS_KINDS = {
  "run-killed": { happens: "the whole run dies between two steps at the store", catalogue: ["S08"] },
  "function-killed": { happens: "a function dies between two steps at the store", catalogue: ["L01", "L03"] },
  "function-throttled": { happens: "functions are not called, as there are too many", catalogue: ["L04", "S06"] },
  "function-answer-lost": { happens: "a function has ended, and failed for the workflow", catalogue: ["S06"] },
  "batch-lost": { happens: "a batch fetcher dies as often as it is tried", catalogue: ["S01", "S02"] },
  "delivered-twice": { happens: "a batch is fetched by two functions at once", catalogue: ["L05", "O02"] },
  "delivered-late": { happens: "a batch is fetched again after its run has ended", catalogue: ["L05", "O08"] },
  "started-twice": { happens: "a second run of the date starts beside the first", catalogue: ["S10", "E01"] },
  "short-of-time": { happens: "functions have little time left when they begin", catalogue: ["L01", "L02"] },
} as const satisfies Record<string, Kind>;

/** What happens between two runs of a date. */
export const INTERVAL_KINDS = {
  "clock-jumps": { happens: "hours pass before the next run", catalogue: ["L14", "S08"] },
  "batches-recut": { happens: "the next run cuts the symbols into other batches", catalogue: ["O07", "P04"] },
  "file-cut": { happens: "a stored file loses its end", catalogue: ["P01"] },
  "file-damaged": { happens: "a byte of a stored file changes", catalogue: ["O10", "P02"] },
  "file-deleted": { happens: "a stored file is deleted", catalogue: ["O12"] },
} as const satisfies Record<string, Kind>;

/** Faults of the upstream that are no answer's own. */
export const UPSTREAM_KINDS = {
  "upstream-limit": { happens: "the upstream allows fewer requests than the budget", catalogue: ["Y01"] },
} as const satisfies Record<string, Kind>;

/** The name of a kind. */
export type KindName =
  | FaultName
  | keyof typeof STORE_KINDS
  | keyof typeof PROCESS_KINDS
  | keyof typeof INTERVAL_KINDS
  | keyof typeof UPSTREAM_KINDS;

const OWN: Readonly<Record<string, Kind>> = { ...STORE_KINDS, ...PROCESS_KINDS, ...INTERVAL_KINDS, ...UPSTREAM_KINDS };

/** The names of all kinds: every fault of the sandbox, and those of our own side. */
export const KIND_NAMES: readonly KindName[] = [...FAULT_NAMES, ...keysOf(OWN)];

/** The catalogue's entries of a kind. */
export function catalogueOf(kind: KindName): readonly string[] {
  return isFault(kind) ? FAULTS[kind].catalogue : (OWN[kind]?.catalogue ?? []);
}

/** Whether a kind is one of the sandbox's faults. */
export function isFault(kind: KindName): kind is FaultName {
  return Object.hasOwn(FAULTS, kind);
}

/** Whether a text names a kind. */
export function isKind(text: string): text is KindName {
  return (KIND_NAMES as readonly string[]).includes(text);
}

function keysOf(kinds: Readonly<Record<string, Kind>>): KindName[] {
  return Object.keys(kinds).filter((name): name is KindName => Object.hasOwn(OWN, name));
}
