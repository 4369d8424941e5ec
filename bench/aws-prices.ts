/**
 * Published list prices of AWS for ap-southeast-2 (Sydney), in USD before tax, from which `monthly-cost.ts` works out a
 * month: those of a run, and of what a deployment has besides.
 */
import { FEED, PRICE_LIST, type Price, RUN_PRICES } from "../cli/aws-prices.ts";

/** List prices by what is metered, in the order of the services. */
export const AWS_PRICES = {
  ...RUN_PRICES,
  /** A CloudWatch custom metric, first 10,000. Prorated by the hour, only for hours in which it gets data. */
  cloudWatchMetricMonth: {
    usd: 0.3,
    per: 1,
    unit: "custom metric-month",
    freeAMonth: 10,
    region: "ap-southeast-2",
    source: `${PRICE_LIST}/AmazonCloudWatch/current/ap-southeast-2/index.json`,
    asOf: "2026-09-22",
  },
  /** A metric in a standard-resolution alarm: a metric-math alarm is billed for each metric in its expression. */
  cloudWatchAlarmMetricMonth: {
    usd: 0.1,
    per: 1,
    unit: "alarm metric-month, standard resolution",
    freeAMonth: 10,
    region: "ap-southeast-2",
    source: `${FEED}/cloudwatch/USD/current/cloudwatch.json`,
    asOf: "2025-09-23",
  },
  /** A CloudWatch dashboard: the first three, of up to 50 metrics each, are free. */
  cloudWatchDashboardMonth: {
    usd: 3,
    per: 1,
    unit: "dashboard-month",
    freeAMonth: 3,
    region: "global",
    source: "https://aws.amazon.com/cloudwatch/pricing/",
    asOf: "2026-10-06",
  },
  /** CloudWatch Logs ingestion, Standard class; vended logs have the same first-tier price. */
  cloudWatchLogsIngestGigabyte: {
    usd: 0.67,
    per: 1,
    unit: "GB of logs ingested",
    freeAMonth: 5,
    region: "ap-southeast-2",
    source: `${PRICE_LIST}/AmazonCloudWatch/current/ap-southeast-2/index.json`,
    asOf: "2026-09-22",
  },
  /** CloudWatch Logs archive storage, compressed. */
  cloudWatchLogsStorageGigabyteMonth: {
    usd: 0.033,
    per: 1,
    unit: "GB-month of logs stored",
    freeAMonth: 5,
    region: "ap-southeast-2",
    source: `${PRICE_LIST}/AmazonCloudWatch/current/ap-southeast-2/index.json`,
    asOf: "2026-09-22",
  },
  /** SNS email and email-JSON deliveries. */
  snsEmail: {
    usd: 2,
    per: 100_000,
    unit: "email notification",
    freeAMonth: 1_000,
    region: "ap-southeast-2",
    source: `${FEED}/sns/USD/current/sns.json`,
    asOf: "2025-10",
  },
  /** EventBridge Scheduler invocations. */
  eventBridgeSchedulerInvocation: {
    usd: 1,
    per: 1_000_000,
    unit: "Scheduler invocation",
    freeAMonth: 14_000_000,
    region: "us-east-1",
    source: "https://cloudburn.io/blog/amazon-eventbridge-pricing",
    asOf: "2026-03-13",
  },
  /** X-Ray traces recorded, after sampling. */
  xrayTraceRecorded: {
    usd: 5,
    per: 1_000_000,
    unit: "trace recorded",
    freeAMonth: 100_000,
    region: "global",
    source: "https://aws.amazon.com/de/xray/pricing/",
    asOf: "undated",
  },
  /** Athena SQL, billed by bytes scanned, rounded up to a megabyte and to 10 MB a query at least. */
  athenaTerabyteScanned: {
    usd: 5,
    per: 1,
    unit: "TB scanned",
    freeAMonth: 0,
    region: "ap-southeast-2",
    source: `${FEED}/athena/USD/current/athena.json`,
    asOf: "2025-10-21",
  },
  /** A customer managed KMS key, and each version that a rotation adds: why none is used. */
  kmsCustomerManagedKeyMonth: {
    usd: 1,
    per: 1,
    unit: "customer managed key version-month",
    freeAMonth: 0,
    region: "ap-southeast-2",
    source: `${PRICE_LIST}/awskms/current/ap-southeast-2/index.json`,
    asOf: "2026-09-11",
  },
} as const satisfies Record<string, Price>;

/** What is priced. */
export type PricedItem = keyof typeof AWS_PRICES;
