/**
 * Published list prices of AWS for ap-southeast-2 (Sydney), in USD before tax, of what every run uses. `asOf` is the date of
 * the source. An entry of another `region` is the price there: none was found for Sydney.
 */

/** The region that a price is of; `global` where AWS has one price for all. */
export type PriceRegion = "ap-southeast-2" | "us-east-1" | "global";

/** The price of one thing that AWS meters. A quantity costs `max(0, quantity - freeAMonth) / per * usd`. */
export interface Price {
  /** US dollars for `per` units, first volume tier. */
  readonly usd: number;
  /** How many units `usd` buys. */
  readonly per: number;
  /** The metered unit. */
  readonly unit: string;
  /** Units a month that are free for every account and do not expire; 0 if none. */
  readonly freeAMonth: number;
  readonly region: PriceRegion;
  /** Where the price is published. */
  readonly source: string;
  /** The date of the source, YYYY-MM-DD or YYYY-MM; `undated` where the page has none. */
  readonly asOf: string;
}

/** AWS's price lists by region. */
export const PRICE_LIST = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws";

/** The data files behind AWS's pricing pages. */
export const FEED = "https://b0.p.awsstatic.com/pricing/2.0/meteredUnitMaps";

/** List prices of functions, state machines and storage, by what is metered. */
export const RUN_PRICES = {
  /** Lambda duration on arm64, first 7.5 billion GB-seconds a month. */
  lambdaGigabyteSecond: {
    usd: 0.0000133334,
    per: 1,
    unit: "GB-second, arm64",
    freeAMonth: 400_000,
    region: "ap-southeast-2",
    source: `${FEED}/lambda/USD/current/lambda.json`,
    asOf: "2025-10-30",
  },
  /** Lambda invocations on arm64. */
  lambdaRequest: {
    usd: 0.2,
    per: 1_000_000,
    unit: "Lambda request",
    freeAMonth: 1_000_000,
    region: "ap-southeast-2",
    source: `${FEED}/lambda/USD/current/lambda.json`,
    asOf: "2025-10-30",
  },
  /** Step Functions Standard Workflows. A retry is a transition too. */
  stepFunctionsTransition: {
    usd: 0.025,
    per: 1_000,
    unit: "state transition, Standard Workflow",
    freeAMonth: 4_000,
    region: "ap-southeast-2",
    source: "https://aws.amazon.com/step-functions/pricing/",
    asOf: "undated",
  },
  /** S3 Standard storage, first 50 TB a month. */
  s3StandardGigabyteMonth: {
    usd: 0.025,
    per: 1,
    unit: "GB-month, S3 Standard",
    freeAMonth: 0,
    region: "ap-southeast-2",
    source: `${PRICE_LIST}/AmazonS3/current/ap-southeast-2/index.json`,
    asOf: "2026-08-31",
  },
  /** S3 Standard PUT, COPY, POST and LIST. DELETE is free. */
  s3PutRequest: {
    usd: 0.0055,
    per: 1_000,
    unit: "PUT, COPY, POST or LIST request, S3 Standard",
    freeAMonth: 0,
    region: "ap-southeast-2",
    source: `${PRICE_LIST}/AmazonS3/current/ap-southeast-2/index.json`,
    asOf: "2026-08-31",
  },
  /** S3 Standard GET, SELECT and all other requests. */
  s3GetRequest: {
    usd: 0.00044,
    per: 1_000,
    unit: "GET or other request, S3 Standard",
    freeAMonth: 0,
    region: "ap-southeast-2",
    source: `${PRICE_LIST}/AmazonS3/current/ap-southeast-2/index.json`,
    asOf: "2026-08-31",
  },
} as const satisfies Record<string, Price>;

/** What so much of one thing costs, in USD, without what is free of it. */
export function listPrice({ usd, per }: Price, quantity: number): number {
  return (quantity / per) * usd;
}
