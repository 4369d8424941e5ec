/** Time, handed in so that tests and simulations decide it. */
export interface Clock {
  /** Milliseconds since 1970 UTC. */
  now(): number;
  /** Resolves after so many milliseconds. */
  sleep(ms: number): Promise<void>;
  /** Calls an action after so many milliseconds. What it returns calls that off; once the action was called it does nothing. */
  after(ms: number, action: () => void): () => void;
}

/** The host's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  after: (ms, action) => {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
};
