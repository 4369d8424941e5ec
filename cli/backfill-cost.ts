/** What a backfill takes and costs, worked out before it is run. */
import { listPrice, RUN_PRICES } from "./aws-prices.ts";

/** What is planned. */
export interface PlannedBackfill {
  /** Symbols to fetch, a request each. */
  readonly symbols: number;
  /** Trading days of the span. */
  readonly sessions: number;
  readonly files: number;
  readonly lanes: number;
  /** Requests a second; undefined where they are not limited. */
  readonly budget: number | undefined;
  /** Calendar years of the span: corporate actions are kept in a file a year. */
  readonly years: number;
}

/** What it takes. */
export interface BackfillEstimate {
  readonly requests: number;
  /** At the budget; null where requests are not limited. */
  readonly minutes: number | null;
  readonly files: number;
  /** At most: a symbol has no bar before its listing, and none where nothing traded. */
  readonly bars: number;
  /** Of so many bars. */
  readonly bytes: number;
}

/** List prices in USD before tax, free tiers left out. */
export interface BackfillDollars {
  readonly s3Requests: number;
  /** A month of the files. */
  readonly s3StorageMonth: number;
  readonly lambda: number;
  readonly transitions: number;
  /** All but the month of storage. */
  readonly once: number;
}

/** A stored bar of a backfill's file, as `bench/backfill.ts` measures it, in bytes. */
const BYTES_A_BAR = 23;
/** An answer takes about so long where requests are not limited, in seconds: assumed. */
const SECONDS_A_REQUEST = 0.2;
/** Reading and storing a symbol's answer at the share of a processor that the fetcher has, in seconds a thousand sessions: assumed. */
const SECONDS_A_THOUSAND_SESSIONS = 0.5;
/** The batch fetcher's memory in AWS (`stacks/functions.ts`), in GB. */
export const FETCHER_GIGABYTES = 384 / 1024;
/** The other two functions have so much memory, and take so long together: assumed, with a cold start each. */
const OTHER_GIGABYTES = 512 / 1024;
const OTHER_SECONDS = 20;
/** States entered of one round besides those of lanes and batches. */
const STATES_A_ROUND = 8;
/**
 * Requests of S3 for each symbol (its pending history, and the listing that says there is none before), and for each batch: its
 * file, the lock and a listing.
 */
const PUTS_A_SYMBOL = 2;
const PUTS_A_BATCH = 4;
const GETS_A_BATCH = 3;

/** What a backfill takes, wherever it runs. */
export function estimateBackfill({ symbols, sessions, files, budget }: PlannedBackfill): BackfillEstimate {
  const bars = symbols * sessions;
  return {
    requests: symbols,
    minutes: budget === undefined ? null : symbols / budget / 60,
    files,
    bars,
    bytes: bars * BYTES_A_BAR,
  };
}

/** What it costs to run by the state machine, or on this machine into a bucket. */
export function backfillDollars(planned: PlannedBackfill, runsOn: "aws" | "this machine"): BackfillDollars {
  const { symbols, sessions, files, lanes, budget, years } = planned;
  const { bytes } = estimateBackfill(planned);
  // Each batch brings the corporate actions of each year up to date: a file read and written.
  const puts = symbols * PUTS_A_SYMBOL + files * (PUTS_A_BATCH + years) + 10;
  const gets = symbols + files * (GETS_A_BATCH + years) + 10;
  const s3Requests = listPrice(RUN_PRICES.s3PutRequest, puts) + listPrice(RUN_PRICES.s3GetRequest, gets);
  const waiting = budget === undefined ? symbols * SECONDS_A_REQUEST : (symbols / budget) * lanes;
  const fetching = waiting + symbols * (sessions / 1000) * SECONDS_A_THOUSAND_SESSIONS;
  const gigabyteSeconds = fetching * FETCHER_GIGABYTES + OTHER_SECONDS * OTHER_GIGABYTES;
  const inAws = runsOn === "aws";
  const lambda = inAws
    ? listPrice(RUN_PRICES.lambdaGigabyteSecond, gigabyteSeconds) + listPrice(RUN_PRICES.lambdaRequest, files + 2)
    : 0;
  const transitions = inAws ? listPrice(RUN_PRICES.stepFunctionsTransition, STATES_A_ROUND + lanes + files) : 0;
  return {
    s3Requests,
    s3StorageMonth: listPrice(RUN_PRICES.s3StandardGigabyteMonth, bytes / 1e9),
    lambda,
    transitions,
    once: s3Requests + lambda + transitions,
  };
}
