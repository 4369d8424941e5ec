/** How far long work is. */
export interface ProgressReport {
  /** `fetching` objects into the cache, `checking` files that were not seen before, `compacting` years. */
  readonly stage: "fetching" | "checking" | "compacting";
  readonly done: number;
  readonly of: number;
}

/** Is told how far long work is; never for what takes no time. */
export type Progress = (report: ProgressReport) => void;
