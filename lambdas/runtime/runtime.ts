import type { SymbolOutcome } from "../../domain/batch.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import type { Clock } from "./clock.ts";
import type { Fetch } from "./http.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** Everything of the outside world that a handler uses, handed in. */
export interface Runtime {
  readonly store: ObjectStore;
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Told of every symbol as its outcome is known, for progress. */
  readonly onOutcome?: (outcome: SymbolOutcome, batchNumber: number | null) => void;
}

/** What the service says of one invocation, as far as it is used here: Lambda's context. */
export interface Invocation {
  /** Milliseconds until the function is ended from outside. */
  getRemainingTimeInMillis(): number;
}

/**
 * A handler: takes an event of any shape, checks it, and returns a message or throws a named error. Where nothing ends it
 * from outside there is no invocation.
 */
export type Handler<Message> = (event: unknown, invocation?: Invocation) => Promise<Message>;

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;
