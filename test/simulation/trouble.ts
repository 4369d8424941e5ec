import type { KindName } from "./kinds.ts";

/** The faults of a scenario: which kinds, how often, and which of them were really made. */
export interface Trouble {
  /** Whether faults are made at all. */
  isOn: boolean;
  /** Whether all kinds stand back but for the scenario's own that have not been made yet. */
  isAlone: boolean;
  /** Kinds that have been made, and how often. */
  readonly made: Map<KindName, number>;
  /** A number from 0 (inclusive) to 1 (exclusive), the next of the scenario's. */
  readonly random: () => number;
  /** The scenario's own kinds that have not been made. */
  missing(): readonly KindName[];
  /** Whether the scenario has a kind. */
  has(kind: KindName): boolean;
  /** Whether a fault of a kind is to be made now: by chance, and certainly while it is the scenario's own and has not been. */
  isDue(kind: KindName): boolean;
  /** The first of some kinds whose fault is to be made now. */
  due<Name extends KindName>(kinds: readonly Name[]): Name | undefined;
  /** Says that a fault was made. */
  note(kind: KindName): void;
}

/**
 * @param own the kinds that the scenario is about.
 * @param shares how often each of its kinds is made, from 0 to 1, where it can be.
 */
export function createTrouble(
  own: ReadonlySet<KindName>,
  shares: ReadonlyMap<KindName, number>,
  random: () => number,
): Trouble {
  const made = new Map<KindName, number>();
  const isMissing = (kind: KindName): boolean => own.has(kind) && !made.has(kind);
  // The older address is asked only where the current one fails.
  const isNeeded = (kind: KindName): boolean =>
    isMissing(kind) || (kind === "directory-forbidden" && isMissing("older-directory-gone"));
  const trouble: Trouble = {
    isOn: false,
    isAlone: false,
    made,
    random,
    missing: () => [...own].filter(isMissing),
    has: (kind) => shares.has(kind),
    isDue(kind) {
      const share = shares.get(kind);
      if (!trouble.isOn || share === undefined) return false;
      return isNeeded(kind) || (!trouble.isAlone && random() < share);
    },
    due: (kinds) => kinds.find((kind) => trouble.isDue(kind)),
    note: (kind) => void made.set(kind, (made.get(kind) ?? 0) + 1),
  };
  return trouble;
}
