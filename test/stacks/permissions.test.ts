import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { synthesiseStack } from "../support/synthesised-stack.ts";

const stack = synthesiseStack();
const BUCKET = "<aws_s3_bucket data/bucket arn>";

const statement = z.object({
  Effect: z.enum(["Allow", "Deny"]),
  Action: z.union([z.string(), z.array(z.string())]),
  Resource: z.array(z.string()).optional(),
  Condition: z.unknown().optional(),
  Principal: z.unknown().optional(),
});
const document = z.object({ Version: z.literal("2012-10-17"), Statement: z.array(statement) });

function statementsOf(text: unknown) {
  return document.parse(JSON.parse(z.string().parse(text))).Statement;
}

/** What a role may do, a line an action and resource. */
function permissions(path: string): string[] {
  return statementsOf(stack.one("aws_iam_role_policy", `${path}/policy`)["policy"]).flatMap(
    ({ Effect, Action, Resource = [], Condition }) =>
      [Action].flat().flatMap((action) =>
        Resource.map((resource) => {
          const condition = Condition === undefined ? "" : ` if ${JSON.stringify(Condition)}`;
          return `${Effect} ${action} on ${resource}${condition}`;
        }),
      ),
  );
}

/** What lets a role list and read keys: the listing tells it a key that is not there from one it must not see. */
function reading(...keys: string[]): string[] {
  return [listing(...keys), ...keys.map((key) => `Allow s3:GetObject on ${BUCKET}/${key}`)];
}

function listing(...keys: string[]): string {
  return `Allow s3:ListBucket on ${BUCKET} if ${JSON.stringify({ StringLike: { "s3:prefix": keys } })}`;
}

function writing(...keys: string[]): string[] {
  return keys.map((key) => `Allow s3:PutObject on ${BUCKET}/${key}`);
}

function logging(path: string): string[] {
  const group = `<aws_cloudwatch_log_group ${path}/logs arn>:*`;
  return [
    `Allow logs:CreateLogStream on ${group}`,
    `Allow logs:PutLogEvents on ${group}`,
    "Allow xray:PutTraceSegments on *",
    "Allow xray:PutTelemetryRecords on *",
  ];
}

/** Log deliveries and traces cannot be named by an ARN. */
const OBSERVING = [
  "Allow logs:CreateLogDelivery on *",
  "Allow logs:GetLogDelivery on *",
  "Allow logs:UpdateLogDelivery on *",
  "Allow logs:DeleteLogDelivery on *",
  "Allow logs:ListLogDeliveries on *",
  "Allow logs:PutResourcePolicy on *",
  "Allow logs:DescribeResourcePolicies on *",
  "Allow logs:DescribeLogGroups on *",
  "Allow xray:PutTraceSegments on *",
  "Allow xray:PutTelemetryRecords on *",
  "Allow xray:GetSamplingRules on *",
  "Allow xray:GetSamplingTargets on *",
];

/** A workflow that fetches: the three functions, and a word to people. */
const FETCHING = [
  "Allow lambda:InvokeFunction on <aws_lambda_alias symbol-updater/alias arn>",
  "Allow lambda:InvokeFunction on <aws_lambda_alias batch-fetcher/alias arn>",
  "Allow lambda:InvokeFunction on <aws_lambda_alias run-summary/alias arn>",
  "Allow sns:Publish on <aws_sns_topic notifications/topic arn>",
  ...OBSERVING,
];

/** What the symbol updater reads. Of what is pending it sees the names alone. */
const PLANNED = ["symbols/*", "raw-data/*", "runs/*", "history/*", "backfills/*"];

/** What the run summary reads. Of what is pending it sees the names alone. */
const SUMMARISED = [
  ...["symbols/*", "raw-data/*", "runs/*", "revisions/*", "history/*", "backfills/*"],
  "listings/listings.json",
];

const PERMISSIONS: Record<string, string[]> = {
  "symbol-updater/role": [
    listing(...PLANNED, "pending/*"),
    ...reading(...PLANNED).slice(1),
    ...writing("symbols/*", "runs/*.lock", "backfills/*.lock"),
    ...logging("symbol-updater"),
  ],
  "batch-fetcher/role": [
    ...reading(
      "symbols/*",
      "raw-data/*",
      "runs/*",
      "revisions/*",
      "history/*",
      "pending/*",
      "backfills/*",
      "actions/*",
    ),
    ...writing("raw-data/*", "revisions/*", "runs/*.lock", "history/*", "pending/*", "actions/*", "backfills/*.lock"),
    `Allow s3:DeleteObject on ${BUCKET}/pending/*`,
    ...logging("batch-fetcher"),
  ],
  "run-summary/role": [
    listing(...SUMMARISED, "pending/*"),
    ...reading(...SUMMARISED).slice(1),
    ...writing("runs/*", "backfills/*", "listings/listings.json"),
    `Allow s3:DeleteObject on ${BUCKET}/pending/*`,
    ...logging("run-summary"),
  ],
  "daily/role": FETCHING,
  "backfill/role": FETCHING,
  "notifications/publish/role": [
    "Allow sns:Publish on <aws_sns_topic notifications/topic arn>",
    "Allow sqs:SendMessage on <aws_sqs_queue notifications/dead-letters arn>",
    ...OBSERVING,
  ],
  "notifications/alarm-role": [
    "Allow states:StartExecution on <aws_sfn_state_machine notifications/publish/machine arn>",
  ],
  "schedule/role": [
    "Allow states:StartExecution on <aws_sfn_state_machine daily/machine arn>",
    "Allow sqs:SendMessage on <aws_sqs_queue notifications/dead-letters arn>",
  ],
};

const TRUST: Record<string, { service: string; source?: string }> = {
  "symbol-updater/role": { service: "lambda.amazonaws.com" },
  "batch-fetcher/role": { service: "lambda.amazonaws.com" },
  "run-summary/role": { service: "lambda.amazonaws.com" },
  "daily/role": {
    service: "states.amazonaws.com",
    source: "states:ap-southeast-2:<account_id>:stateMachine:asx-eod-prod-daily",
  },
  "backfill/role": {
    service: "states.amazonaws.com",
    source: "states:ap-southeast-2:<account_id>:stateMachine:asx-eod-prod-backfill",
  },
  "notifications/publish/role": {
    service: "states.amazonaws.com",
    source: "states:ap-southeast-2:<account_id>:stateMachine:asx-eod-prod-alarm-publisher",
  },
  "notifications/alarm-role": {
    service: "events.amazonaws.com",
    source: "events:ap-southeast-2:<account_id>:rule/asx-eod-prod-alarms",
  },
  "schedule/role": {
    service: "scheduler.amazonaws.com",
    source: "scheduler:ap-southeast-2:<account_id>:schedule-group/asx-eod-prod-runs",
  },
};

describe("the roles of a deployment", () => {
  it("are these and no others, each with its one policy", () => {
    expect(Object.keys(stack.all("aws_iam_role")).sort()).toEqual(
      Object.keys(PERMISSIONS)
        .map((path) => `${path}/role`)
        .sort(),
    );
    expect(Object.keys(stack.all("aws_iam_role_policy")).sort()).toEqual(
      Object.keys(PERMISSIONS)
        .map((path) => `${path}/policy`)
        .sort(),
    );
    expect(stack.all("aws_iam_role_policy_attachment")).toEqual({});
  });

  it.each(Object.entries(PERMISSIONS))("let %s do exactly what it must", (path, expected) => {
    expect(permissions(path)).toEqual(expected);
    expect(stack.one("aws_iam_role_policy", `${path}/policy`)["role"]).toBe(`<aws_iam_role ${path}/role name>`);
  });

  it.each(Object.entries(TRUST))(
    "let one service take %s on, for its own resource where the service tells it",
    (path, { service, source }) => {
      expect(statementsOf(stack.one("aws_iam_role", `${path}/role`)["assume_role_policy"])).toEqual([
        {
          Effect: "Allow",
          Action: "sts:AssumeRole",
          Principal: { Service: service },
          ...(source !== undefined && {
            Condition: {
              StringEquals: { "aws:SourceAccount": "<account_id>" },
              ArnEquals: { "aws:SourceArn": `arn:<partition>:${source}` },
            },
          }),
        },
      ]);
    },
  );

  it("allow no action with a wildcard", () => {
    for (const path of Object.keys(PERMISSIONS)) {
      for (const permission of permissions(path)) expect(permission).not.toMatch(/^Allow \S*\*/);
    }
  });

  it("remove nothing but what stands in another file by then", () => {
    const removing = Object.keys(PERMISSIONS).flatMap((path) =>
      permissions(path).filter((permission) => permission.includes(" s3:Delete")),
    );
    expect(new Set(removing)).toEqual(new Set([`Allow s3:DeleteObject on ${BUCKET}/pending/*`]));
  });

  it("stay below a permissions boundary where one is set", () => {
    const boundary = "arn:aws:iam::123456789012:policy/boundary";
    const roles = synthesiseStack({ ASX_EOD_PERMISSIONS_BOUNDARY_ARN: boundary }).all("aws_iam_role");
    expect(Object.values(roles).map((role) => role["permissions_boundary"])).toEqual(
      Array.from({ length: 8 }, () => boundary),
    );
  });
});

describe("the policies of resources", () => {
  const policies = ["aws_s3_bucket_policy", "aws_sns_topic_policy", "aws_sqs_queue_policy"].flatMap((type) =>
    Object.values(stack.all(type)).map(({ policy }) => statementsOf(policy)),
  );

  it("turn away everyone who comes without TLS", () => {
    expect(policies).toHaveLength(4);
    for (const [first] of policies) {
      expect(first).toMatchObject({
        Effect: "Deny",
        Principal: "*",
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      });
    }
  });

  it("let in nobody but EventBridge with lost alarms of this account", () => {
    const allowed = policies.flat().filter(({ Effect }) => Effect === "Allow");
    expect(allowed).toEqual([
      {
        Effect: "Allow",
        Action: ["sqs:SendMessage"],
        Resource: ["<aws_sqs_queue notifications/dead-letters arn>"],
        Principal: { Service: "events.amazonaws.com" },
        Condition: {
          ArnEquals: { "aws:SourceArn": "<aws_cloudwatch_event_rule notifications/alarms arn>" },
        },
      },
    ]);
  });
});

describe("the policy of whoever runs by hand", () => {
  const text = readFileSync(new URL("../../docs/operate-policy.json", import.meta.url), "utf8");
  const { Statement } = z
    .object({ Statement: z.array(statement) })
    .parse(JSON.parse(text, (key, value: unknown) => (key === "Resource" ? [value].flat() : value)));

  /** Whether the policy allows an action on an ARN. */
  function allows(action: string, arn: string): boolean {
    const matches = (pattern: string): boolean =>
      new RegExp(`^${pattern.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("\\*", ".*")}$`).test(arn);
    return Statement.some(({ Action, Resource = [] }) => [Action].flat().includes(action) && Resource.some(matches));
  }

  it.each(["daily", "backfill"])("starts, follows and stops the workflow %s", (name) => {
    const of = (kind: string, id: string): string =>
      `arn:aws:states:ap-southeast-2:123456789012:${kind}:asx-eod-prod-${name}${id}`;
    expect(stack.one("aws_sfn_state_machine", `${name}/machine`)["name"]).toBe(`asx-eod-prod-${name}`);
    expect(allows("states:StartExecution", of("stateMachine", ""))).toBe(true);
    for (const action of ["DescribeExecution", "GetExecutionHistory", "StopExecution"]) {
      expect([action, allows(`states:${action}`, of("execution", ":run-1"))]).toEqual([action, true]);
    }
  });

  it("reads all that is stored, and changes nothing that was fetched", () => {
    const bucket = "arn:aws:s3:::asx-eod-prod-data-123456789012";
    const keys = [
      "runs/2024-05-31.json",
      "raw-data/2024-05-31-batch-0.parquet",
      "backfills/2014-01-02_2024-05-31.json",
    ];
    expect(allows("s3:ListBucket", bucket)).toBe(true);
    for (const key of [...keys, "history/2014-01-02_2024-05-31-batch-0.parquet", "actions/2024.csv"]) {
      expect(allows("s3:GetObject", `${bucket}/${key}`)).toBe(true);
      for (const action of ["s3:PutObject", "s3:DeleteObject"]) expect(allows(action, `${bucket}/${key}`)).toBe(false);
    }
    expect(allows("s3:PutObject", `${bucket}/curated/manifest.json`)).toBe(true);
  });
});

describe("the policy of whoever deploys", () => {
  const text = readFileSync(new URL("../../docs/deploy-policy.json", import.meta.url), "utf8");
  const { Statement } = z
    .object({
      Statement: z.array(
        statement.extend({ Action: z.array(z.string()), Resource: z.union([z.string(), z.array(z.string())]) }),
      ),
    })
    .parse(JSON.parse(text));

  /** What the provider calls to make, read, change and remove each type of resource, besides tags. */
  const CALLS: Record<string, string> = {
    aws_athena_named_query: "athena: CreateNamedQuery GetNamedQuery DeleteNamedQuery",
    aws_athena_workgroup: "athena: CreateWorkGroup GetWorkGroup UpdateWorkGroup DeleteWorkGroup",
    aws_cloudwatch_dashboard: "cloudwatch: PutDashboard GetDashboard DeleteDashboards",
    aws_cloudwatch_event_rule: "events: PutRule DescribeRule DeleteRule",
    aws_cloudwatch_event_target: "events: PutTargets ListTargetsByRule RemoveTargets",
    aws_cloudwatch_log_group: "logs: CreateLogGroup DescribeLogGroups PutRetentionPolicy DeleteLogGroup",
    aws_cloudwatch_metric_alarm: "cloudwatch: PutMetricAlarm DescribeAlarms DeleteAlarms",
    aws_glue_catalog_database: "glue: CreateDatabase GetDatabase UpdateDatabase DeleteDatabase",
    aws_glue_catalog_table: "glue: CreateTable GetTable GetPartitionIndexes UpdateTable DeleteTable",
    aws_iam_role:
      "iam: CreateRole GetRole UpdateRole UpdateAssumeRolePolicy ListRolePolicies ListAttachedRolePolicies ListInstanceProfilesForRole PassRole DeleteRole PutRolePermissionsBoundary",
    aws_iam_role_policy: "iam: PutRolePolicy GetRolePolicy DeleteRolePolicy",
    aws_lambda_alias: "lambda: CreateAlias GetAlias UpdateAlias DeleteAlias",
    aws_lambda_function:
      "lambda: CreateFunction GetFunction GetFunctionCodeSigningConfig ListVersionsByFunction UpdateFunctionCode UpdateFunctionConfiguration PublishVersion DeleteFunction",
    aws_s3_bucket:
      "s3: CreateBucket ListBucket GetBucket* DeleteBucket ListBucketVersions DeleteObject DeleteObjectVersion",
    aws_s3_bucket_lifecycle_configuration: "s3: PutLifecycleConfiguration GetLifecycleConfiguration",
    aws_s3_bucket_ownership_controls: "s3: PutBucketOwnershipControls GetBucket*",
    aws_s3_bucket_policy: "s3: PutBucketPolicy GetBucket* DeleteBucketPolicy",
    aws_s3_bucket_public_access_block: "s3: PutBucketPublicAccessBlock GetBucket*",
    aws_s3_bucket_server_side_encryption_configuration: "s3: PutEncryptionConfiguration GetEncryptionConfiguration",
    aws_s3_bucket_versioning: "s3: PutBucketVersioning GetBucket*",
    aws_scheduler_schedule: "scheduler: CreateSchedule GetSchedule UpdateSchedule DeleteSchedule",
    aws_scheduler_schedule_group: "scheduler: CreateScheduleGroup GetScheduleGroup DeleteScheduleGroup",
    aws_sfn_state_machine:
      "states: CreateStateMachine DescribeStateMachine UpdateStateMachine DeleteStateMachine ListStateMachineVersions ValidateStateMachineDefinition",
    aws_sns_topic: "sns: CreateTopic GetTopicAttributes SetTopicAttributes DeleteTopic",
    aws_sns_topic_policy: "sns: SetTopicAttributes GetTopicAttributes",
    aws_sns_topic_subscription: "sns: Subscribe GetSubscriptionAttributes Unsubscribe",
    aws_sqs_queue: "sqs: CreateQueue GetQueueAttributes SetQueueAttributes GetQueueUrl DeleteQueue",
    aws_sqs_queue_policy: "sqs: SetQueueAttributes GetQueueAttributes",
  };
  const allowed = Statement.flatMap(({ Action }) => Action);
  const subscribed = synthesiseStack({ ASX_EOD_ALERT_EMAIL: "quant@example.com" });

  it("fits into a managed policy", () => {
    expect(text.replaceAll(/\s/g, "").length).toBeLessThanOrEqual(6144);
  });

  it.each([...new Set(subscribed.resources.map(({ type }) => type))])(
    "covers %s: making, reading, changing, removing",
    (type) => {
      const [service = "", ...calls] = (CALLS[type] ?? "").split(" ");
      expect(calls.length).toBeGreaterThan(1);
      expect(calls.filter((call) => !allowed.includes(`${service}${call}`))).toEqual([]);
    },
  );

  it("covers the tags of every service that has some", () => {
    for (const service of [
      "athena",
      "cloudwatch",
      "events",
      "glue",
      "lambda",
      "logs",
      "s3",
      "scheduler",
      "sns",
      "states",
    ]) {
      expect(allowed).toEqual(expect.arrayContaining([`${service}:TagResource`, `${service}:UntagResource`]));
    }
    expect(allowed).toEqual(expect.arrayContaining(["iam:TagRole", "iam:UntagRole", "sqs:TagQueue", "sqs:UntagQueue"]));
  });

  it("is bound to names of this project wherever the action knows a name", () => {
    for (const { Action, Resource } of Statement) {
      for (const resource of [Resource].flat()) {
        if (resource === "*")
          expect(Action).toEqual(expect.arrayContaining([expect.stringMatching(/:(Describe|List|Validate)/)]));
        else expect(resource).toMatch(/asx[-_]eod[-_]|:catalog$/);
      }
    }
  });

  it("passes roles to the services that take them on, and to no others", () => {
    const passing = Statement.find(({ Action }) => Action.includes("iam:PassRole"));
    const services = [...new Set(Object.values(TRUST).map(({ service }) => service))].sort();
    expect(passing?.Action).toEqual(["iam:PassRole"]);
    expect(passing?.Condition).toEqual({ StringEquals: { "iam:PassedToService": services } });
  });
});
