/** When a worker may ask, so that all workers together keep within a budget although none knows of the others. */

/** A lane of the budget. */
export interface SlotOptions {
  /** The budget over all lanes, above 0. Where it is no whole number, a second may hold the next greater one. */
  readonly requestsPerSecond: number;
  /** From 0 (inclusive) to `lanes` (exclusive). Two workers that run at the same time must not have the same lane. */
  readonly lane: number;
  readonly lanes: number;
}

/** The slots of one lane; each lets one request begin. */
export interface RequestSlots {
  /** The earliest time at or after `from` at which a request may begin, in milliseconds since 1970. */
  earliest(from: number): number;
  /** Uses up the slot that a request begins in. `now` is at or after what {@link earliest} gave for it. */
  take(now: number): void;
}

/** How much longer slots are than the budget asks for; what it leaves of a second is what beginnings may be late by. */
const STRETCH = 1.02;
/** How late a slot may be used, in milliseconds. */
const LATEST_MS = 15;

/**
 * Cuts the time since 1970 into slots of 1.02 / requestsPerSecond seconds. Slot n is lane n mod lanes's, for one request,
 * from its begin to 15 ms after it.
 *
 * Why no second, wherever it begins, holds more than R = requestsPerSecond requests: R + 1 of them take R + 1 slots, and
 * the begins of the first and the last of these are 1.02 s or more apart. If the first is used 15 ms late and the last on
 * time, 1.005 s are between them. The 5 ms left are for clocks that read whole milliseconds, for the way from reading the
 * clock to the network, and for hosts whose clocks differ. A slot that is not used within 15 ms is lost.
 */
export function createRequestSlots({ requestsPerSecond, lane, lanes }: SlotOptions): RequestSlots {
  const period = (1000 / requestsPerSecond) * STRETCH;
  let lastTaken = Number.NEGATIVE_INFINITY;

  function slotAt(from: number): number {
    const first = Math.max(Math.ceil((from - LATEST_MS) / period), lastTaken + 1);
    return first + ((((lane - first) % lanes) + lanes) % lanes);
  }

  return {
    earliest: (from) => Math.max(from, Math.ceil(slotAt(from) * period)),
    take: (now) => {
      lastTaken = slotAt(now);
    },
  };
}
