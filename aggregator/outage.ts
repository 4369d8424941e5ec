import { StoreUnavailableError } from "../domain/errors.ts";

/** Whether a store could not be reached: not one that was, and changed all the time. The cause of the former is the network's. */
export function isUnreached(error: unknown): error is StoreUnavailableError & { readonly cause: unknown } {
  return error instanceof StoreUnavailableError && error.cause !== undefined;
}

/** What is told of a store that cannot be reached: once, until it was reached again. */
export class Outage {
  readonly #warn: (message: string) => void;
  #isTold = false;

  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  /** @param asOf the time of the look that is read by instead. */
  begins(error: StoreUnavailableError, asOf: Date): void {
    if (!this.#isTold) this.#warn(`${error.message}. Read from the cache, as of ${asOf.toISOString()}`);
    this.#isTold = true;
  }

  ends(): void {
    this.#isTold = false;
  }
}
