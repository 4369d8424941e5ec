import { AwsProvider } from "@cdktf/provider-aws/lib/provider/index.js";
import { Aspects, LocalBackend, S3Backend, TerraformOutput, TerraformStack } from "cdktf";
import type { Construct, IConstruct } from "constructs";
import * as z from "zod";
import { Alarms } from "./alarms.ts";
import { type Bundle, LAMBDAS, type LambdaName } from "./bundles.ts";
import type { DeploymentConfig } from "./config.ts";
import { createDashboard } from "./dashboard.ts";
import { type Deployment, describeDeployment } from "./deployment.ts";
import { createBackfillWorkflow, createDailyWorkflow } from "./fetching-workflows.ts";
import { Lambda } from "./functions.ts";
import { Notifications } from "./notifications.ts";
import { Query } from "./query.ts";
import { Schedule } from "./schedule.ts";
import { createDataBucket } from "./storage.ts";

/** From the first version of the provider that knows nodejs24.x, up to the next that may break. */
const AWS_PROVIDER_VERSIONS = "~> 6.19";

/** Name of a stage's stack, and of the folder it is synthesised into. */
export function stackName(stage: string): string {
  return `asx-eod-${stage}`;
}

/** Everything that the daily run and backfills need on AWS. */
export class AsxEodStack extends TerraformStack {
  constructor(scope: Construct, config: DeploymentConfig, bundles: readonly Bundle[]) {
    super(scope, stackName(config.stage));
    this.#keepState(config);
    this.addOverride("terraform.required_providers.aws.version", AWS_PROVIDER_VERSIONS);
    new AwsProvider(this, "aws", { region: config.region });

    const deployment = describeDeployment(this, config);
    const data = createDataBucket(this, deployment);
    const lambdas = createLambdas(bundles, (bundle) => new Lambda(this, bundle, data, deployment));
    const notifications = new Notifications(this, "notifications", deployment);
    const workflow = createDailyWorkflow(this, deployment, { lambdas, notifications });
    const backfill = createBackfillWorkflow(this, deployment, { lambdas, notifications });
    new Schedule(this, "schedule", deployment, workflow, notifications);
    new Alarms(this, "alarms", deployment, { workflow, backfill, lambdas, notifications });
    const dashboard = createDashboard(this, deployment);
    const query = new Query(this, "query", deployment, data);
    this.#tagEverything(config);
    this.#output({
      bucket: [data.bucket, "Where the data is; as a store: s3://BUCKET"],
      state_machine_arn: [workflow.arn, "The daily workflow"],
      backfill_state_machine_arn: [backfill.arn, "The workflow of backfills"],
      ...Object.fromEntries(
        Object.entries(lambdas).map(([name, { functionName }]): [string, [string, string]] => [
          `${name.replaceAll("-", "_")}_function`,
          [functionName, `The Lambda ${name}`],
        ]),
      ),
      notifications_topic_arn: [notifications.topicArn, "Where notifications and alarms are published"],
      dashboard_url: [dashboardUrl(deployment, dashboard), "The dashboard in the console"],
      athena_workgroup: [query.workgroup, "Work group of queries"],
      athena_database: [query.database, "Database of the tables bars, history, actions and symbols"],
      manual_run: [
        `npx asx execute --state-machine ${workflow.arn} --date YYYY-MM-DD --wait`,
        "Runs one trading date and follows it",
      ],
      manual_backfill: [
        `npx asx execute --state-machine ${backfill.arn} --backfill --from YYYY-MM-DD --wait`,
        "Fetches the past from a date on and follows it",
      ],
    });
  }

  /** Without a backend of its own a stack would keep its state under an absolute path of this machine. */
  #keepState({ stage, remoteState }: DeploymentConfig): void {
    if (remoteState === undefined) {
      // Terraform runs in cdktf.out/stacks/NAME; the state belongs beside package.json, where nothing is generated.
      new LocalBackend(this, { path: `../../../terraform.${stackName(stage)}.tfstate` });
      return;
    }
    const { bucket, region } = remoteState;
    new S3Backend(this, { bucket, region, key: `${stackName(stage)}.tfstate`, encrypt: true });
    this.addOverride("terraform.backend.s3.use_lockfile", true);
  }

  #tagEverything({ stage, tags }: DeploymentConfig): void {
    const all = { ...tags, project: "asx-eod", stage };
    Aspects.of(this).add({
      visit(node: IConstruct) {
        const taggable = taggableForm.safeParse(node);
        if (taggable.success) taggable.data.tags = all;
      },
    });
  }

  #output(outputs: Readonly<Record<string, readonly [value: string, description: string]>>): void {
    for (const [name, [value, description]] of Object.entries(outputs)) {
      new TerraformOutput(this, name, { value, description }).overrideLogicalId(name);
    }
  }
}

/** A resource that can be tagged: its class has a setter of that name. */
const taggableForm = z.custom<{ tags: Record<string, string> }>(
  (node) => typeof node === "object" && node !== null && "tagsInput" in node && "tags" in node,
);

function createLambdas(
  bundles: readonly Bundle[],
  create: (bundle: Bundle) => Lambda,
): Readonly<Record<LambdaName, Lambda>> {
  const bundleOf = (name: LambdaName): Bundle => {
    const found = bundles.find((bundle) => bundle.name === name);
    if (found === undefined) throw new Error(`the Lambda ${name} was not built; known are ${LAMBDAS.join(", ")}`);
    return found;
  };
  return {
    "symbol-updater": create(bundleOf("symbol-updater")),
    "batch-fetcher": create(bundleOf("batch-fetcher")),
    "run-summary": create(bundleOf("run-summary")),
  };
}

function dashboardUrl({ config: { region } }: Deployment, name: string): string {
  return `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#dashboards/dashboard/${name}`;
}
