/** What the checks of a whole day are called in run summaries. */

/** What a day is judged by as a whole, whatever the outcomes of its symbols say. */
export const DAY_GATES = {
  /** Symbols traded, against the sessions before. */
  coverage: "coverage",
  /** Bars that are those of the session before. */
  repeated: "repeated",
  /** Bars at another level of price than the session before. */
  jumps: "jumps",
  /** The companies that trade on every day. */
  largeCompanies: "large-companies",
  /** Symbols that had a bar the session before, and are unknown or invalid now. */
  unusable: "unusable",
  /** Split events, which are rare. */
  splits: "splits",
  /** The provider turned the run away. */
  upstream: "upstream",
} as const;
export type DayGate = (typeof DAY_GATES)[keyof typeof DAY_GATES];

/** Why a bar that breaks no invariant is doubted all the same. */
export const SUSPECT_KINDS = {
  /** A price of the bar is 50 times the close before it or more, or a fiftieth or less: cents for dollars, say. */
  priceJump: "price-jump",
  /** The bar opens and closes near a usual split ratio from the close before it. */
  unappliedSplit: "unapplied-split",
  /** The four prices and the volume are those of the bar before it. */
  repeated: "repeated",
  /** A volume that cannot be, or is far beyond what the symbol traded before. */
  implausibleVolume: "implausible-volume",
} as const;
export type SuspectKind = (typeof SUSPECT_KINDS)[keyof typeof SUSPECT_KINDS];
