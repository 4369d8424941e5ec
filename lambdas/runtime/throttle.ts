import pThrottle from "p-throttle";

/** Runs operations, starting each no sooner than the rate allows. */
export type Throttle = <Result>(operation: () => Promise<Result>) => Promise<Result>;

/**
 * Spaces the starts of operations evenly: one every `1 / perSecond` seconds, never two at once, so
 * that no second holds more than its share.
 * @param perSecond operations a second; null for no limit.
 */
export function createThrottle(perSecond: number | null): Throttle {
  if (perSecond === null) return (operation) => operation();
  const spaced = pThrottle({ limit: 1, interval: Math.ceil(1000 / perSecond) });
  return <Result>(operation: () => Promise<Result>) => spaced(operation)();
}
