import type { SandboxRequest } from "../server.ts";
import type { Sleep } from "../sleep.ts";
import type { SandboxAnswer } from "../yahoo-answers.ts";

/** What a fault is made of: charts, the directory at either address, or any request. */
export type FaultTarget = "chart" | "directory" | "any";

/** What a fault can do to the data of a correct client: what a test may expect in spite of it. */
export const FAULT_EFFECTS = {
  /** The right data is in the answer and can be told: a correct client takes it. */
  harmless: "harmless",
  /** No data can be had from the answer: a correct client asks again, elsewhere or later, and stores nothing wrong. */
  transient: "transient",
  /** What is wrong can be told from the answer: a correct client reports it, and stores nothing wrong. */
  detectable: "detectable",
  /** A single answer cannot be told from the truth: a bar may be wrong or missing, and only other answers tell. */
  silent: "silent",
} as const;
export type FaultEffect = (typeof FAULT_EFFECTS)[keyof typeof FAULT_EFFECTS];

/** What a fault knows of the moment at which it is made. */
export interface FaultContext {
  readonly request: SandboxRequest;
  /** A number from 0 (inclusive) to 1 (exclusive) that the seed decides; another for each use, from 0 to 15. */
  readonly chance: (use: number) => number;
  readonly sleep: Sleep;
}

/** What a fault makes of a right answer; the same answer where there is nothing in it to make the fault of. */
export type MakeFault = (answer: SandboxAnswer, context: FaultContext) => SandboxAnswer | Promise<SandboxAnswer>;

/** A way in which an upstream goes wrong. */
export interface Fault {
  /** One line, for the help. */
  readonly description: string;
  /** Its entries in the catalogue of failures, such as `Y01`. */
  readonly catalogue: readonly string[];
  readonly target: FaultTarget;
  readonly effect: FaultEffect;
  readonly make: MakeFault;
  /** Once begun it hits so many requests in a row, the first included: the fewest and the most. */
  readonly burst?: readonly [fewest: number, most: number];
}

/** Gives faults of one subject their target. */
export function faultsOf<Name extends string>(
  target: FaultTarget,
  faults: Readonly<Record<Name, Omit<Fault, "target">>>,
): Readonly<Record<Name, Fault>> {
  const targeted: Partial<Record<Name, Fault>> = {};
  for (const name in faults) targeted[name] = { ...faults[name], target };
  return targeted as Record<Name, Fault>;
}

/** One of several, each as likely as the others. */
export function pick<const Item>(items: readonly [Item, ...Item[]], chance: number): Item {
  return items[Math.floor(chance * items.length)] ?? items[0];
}

/** The whole body; nothing of one that is a stream. */
export function bytesOf({ body }: SandboxAnswer): Uint8Array {
  if (typeof body === "string") return new TextEncoder().encode(body);
  return body instanceof Uint8Array ? body : new Uint8Array();
}
