/** Resolves after so many milliseconds: handed in, so that a simulation decides how long that is. */
export type Sleep = (ms: number) => Promise<void>;

/** Sleeps by the host's clock, and keeps no process alive that has nothing else to do. */
export const hostSleep: Sleep = (ms) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
