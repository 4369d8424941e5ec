import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group/index.js";
import { LambdaAlias } from "@cdktf/provider-aws/lib/lambda-alias/index.js";
import { LambdaFunction } from "@cdktf/provider-aws/lib/lambda-function/index.js";
import { AssetType, TerraformAsset } from "cdktf";
import { Construct } from "constructs";
import {
  actionsPrefix,
  backfillsPrefix,
  historyPrefix,
  listingsKey,
  pendingPrefix,
  rawDataFolder,
  revisionsPrefix,
  runsPrefix,
  symbolsPrefix,
} from "../domain/object-keys.ts";
import { type Bundle, LAMBDA_HANDLER, type LambdaName } from "./bundles.ts";
import type { Deployment } from "./deployment.ts";
import { ServiceRole, type Statement } from "./policy.ts";
import type { PrivateBucket } from "./private-bucket.ts";
import { FUNCTION_SECONDS } from "./time-outs.ts";

/** The alias that the workflow invokes. Pointing it at an earlier version is a rollback. */
const ALIAS = "live";

/**
 * Memory of each Lambda. The fetcher waits for the request budget most of its time, and memory is paid for by time; but a
 * batch of a backfill has up to 100,000 bars in it, and took 230 MB with them.
 */
export const MEMORY_MEGABYTES: Record<LambdaName, number> = {
  "symbol-updater": 512,
  "batch-fetcher": 384,
  "run-summary": 512,
};

/** What is different about a Lambda. */
interface FunctionDescription {
  readonly description: string;
  /** Keys of the bucket that it lists and reads, with wildcards. */
  readonly reads: readonly string[];
  /** Keys of the bucket that it writes, with wildcards. */
  readonly writes: readonly string[];
  /** Keys of the bucket that it lists and removes, and need not read for that, with wildcards. */
  readonly removes?: readonly string[];
  /** Keys of the bucket of which it sees the names alone, with wildcards. */
  readonly lists?: readonly string[];
}

/** The locks on dates that are being run. */
const RUN_LOCKS = `${runsPrefix}*.lock`;

/** The locks on backfills that are being run. */
const BACKFILL_LOCKS = `${backfillsPrefix}*.lock`;

const DESCRIPTIONS: Record<LambdaName, FunctionDescription> = {
  "symbol-updater": {
    description: "Writes the day's ASX symbols and cuts what is to be fetched into batches",
    reads: [symbolsPrefix, rawDataFolder, runsPrefix, historyPrefix, backfillsPrefix].map(objectsBelow),
    writes: [objectsBelow(symbolsPrefix), RUN_LOCKS, BACKFILL_LOCKS],
    lists: [objectsBelow(pendingPrefix)],
  },
  "batch-fetcher": {
    description: "Fetches the bars of one batch of symbols, of a day or of their past, into a Parquet file",
    reads: [
      ...[symbolsPrefix, rawDataFolder, runsPrefix, revisionsPrefix].map(objectsBelow),
      ...[historyPrefix, pendingPrefix, backfillsPrefix, actionsPrefix].map(objectsBelow),
    ],
    writes: [
      ...[rawDataFolder, revisionsPrefix].map(objectsBelow),
      RUN_LOCKS,
      ...[historyPrefix, pendingPrefix, actionsPrefix].map(objectsBelow),
      BACKFILL_LOCKS,
    ],
    removes: [objectsBelow(pendingPrefix)],
  },
  "run-summary": {
    description: "Writes what became of every symbol of the day or of a backfill",
    reads: [
      ...[symbolsPrefix, rawDataFolder, runsPrefix, revisionsPrefix, historyPrefix, backfillsPrefix].map(objectsBelow),
      listingsKey,
    ],
    writes: [...[runsPrefix, backfillsPrefix].map(objectsBelow), listingsKey],
    removes: [objectsBelow(pendingPrefix)],
  },
};

/** A Lambda with its log group and its role. */
export class Lambda extends Construct {
  readonly functionName: string;
  /** ARN of the alias: of the deployed version and no other. */
  readonly aliasArn: string;

  constructor(scope: Construct, bundle: Bundle, bucket: PrivateBucket, deployment: Deployment) {
    super(scope, bundle.name);
    const { config } = deployment;
    const { description, ...keys } = DESCRIPTIONS[bundle.name];
    const functionName = deployment.name(bundle.name);
    const logGroup = new CloudwatchLogGroup(this, "logs", {
      name: `/aws/lambda/${functionName}`,
      retentionInDays: config.logRetentionDays,
    });
    const role = new ServiceRole(this, "role", deployment, {
      name: bundle.name,
      description: `What the Lambda ${functionName} may do`,
      service: "lambda.amazonaws.com",
      statements: [
        ...bucketStatements(bucket.arn, keys),
        {
          sid: "WriteLogs",
          actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
          resources: [`${logGroup.arn}:*`],
        },
        TRACING,
      ],
    });
    const asset = new TerraformAsset(this, "archive", { path: bundle.archive, type: AssetType.FILE });
    const lambda = new LambdaFunction(this, "function", {
      functionName,
      description,
      runtime: "nodejs24.x",
      architectures: ["arm64"],
      handler: LAMBDA_HANDLER,
      filename: asset.path,
      sourceCodeHash: bundle.sha256,
      role: role.arn,
      memorySize: MEMORY_MEGABYTES[bundle.name],
      timeout: FUNCTION_SECONDS[bundle.name],
      publish: true,
      environment: {
        variables: {
          STORE_URL: `s3://${bucket.bucket}`,
          STAGE: config.stage,
          NODE_OPTIONS: "--enable-source-maps",
          ...settingsOf(bundle.name, deployment),
        },
      },
      loggingConfig: { logGroup: logGroup.name, logFormat: "JSON" },
      tracingConfig: { mode: "Active" },
      dependsOn: [role.policy],
    });
    this.functionName = lambda.functionName;
    this.aliasArn = new LambdaAlias(this, "alias", {
      name: ALIAS,
      description: "The version that the workflow invokes",
      functionName: lambda.functionName,
      functionVersion: lambda.version,
    }).arn;
  }
}

/** Traces have no ARN to name (IAM's service authorization reference of X-Ray). */
const TRACING: Statement = {
  sid: "WriteTraces",
  actions: ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
  resources: ["*"],
};

function objectsBelow(prefix: string): string {
  return `${prefix}*`;
}

function bucketStatements(
  bucketArn: string,
  { reads, writes, removes = [], lists = [] }: Omit<FunctionDescription, "description">,
): Statement[] {
  const objects = (keys: readonly string[]): string[] => keys.map((key) => `${bucketArn}/${key}`);
  return [
    {
      sid: "ListObjects",
      actions: ["s3:ListBucket"],
      resources: [bucketArn],
      conditions: { StringLike: { "s3:prefix": [...new Set([...reads, ...removes, ...lists])] } },
    },
    { sid: "ReadObjects", actions: ["s3:GetObject"], resources: objects(reads) },
    { sid: "WriteObjects", actions: ["s3:PutObject"], resources: objects(writes) },
    ...(removes.length > 0
      ? [{ sid: "RemoveObjects", actions: ["s3:DeleteObject"], resources: objects(removes) }]
      : []),
  ];
}

function settingsOf(name: LambdaName, { config }: Deployment): Record<string, string> {
  const closures = config.marketClosures.length > 0 ? { MARKET_CLOSURES: config.marketClosures.join(",") } : {};
  switch (name) {
    case "symbol-updater":
      return {
        BATCH_SIZE: String(config.batchSize),
        MAX_CONCURRENCY: String(config.concurrency),
        ...(config.extraSymbols.length > 0 && { EXTRA_SYMBOLS: config.extraSymbols.join(",") }),
        ...closures,
      };
    case "batch-fetcher":
      return { REQUESTS_PER_SECOND: String(config.requestsPerSecond), ...closures };
    case "run-summary":
      return closures;
  }
}
