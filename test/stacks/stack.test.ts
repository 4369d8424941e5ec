import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { synthesiseStack } from "../support/synthesised-stack.ts";

const stack = synthesiseStack();

/** Whether a type of resource can be tagged, by the provider's own schema. */
function canBeTagged(type: string): boolean {
  const folder = type.replace(/^aws_/, "").replaceAll("_", "-");
  const bindings = new URL(`../../node_modules/@cdktf/provider-aws/lib/${folder}/index.d.ts`, import.meta.url);
  return /readonly tags\?:/.test(readFileSync(bindings, "utf8").split("class ")[0] ?? "");
}

describe("the stack", () => {
  it("is the same byte by byte when it is synthesised again, and holds no path of this machine", () => {
    expect(synthesiseStack().text).toBe(stack.text);
    expect(stack.text).not.toContain(process.cwd());
  });

  it("tags everything that can be tagged, with the user's tags too", () => {
    const tagged = synthesiseStack({ ASX_EOD_STAGE: "dev", ASX_EOD_TAGS: '{"owner":"quant desk"}' });
    const taggable = tagged.resources.filter(({ type }) => canBeTagged(type));
    expect(taggable.length).toBeGreaterThan(25);
    for (const { body } of taggable)
      expect(body["tags"]).toEqual({ project: "asx-eod", stage: "dev", owner: "quant desk" });
  });

  it("has nothing that the internet can reach or that is open to another account", () => {
    const types = new Set(stack.resources.map(({ type }) => type));
    for (const type of [
      "aws_lambda_function_url",
      "aws_lambda_permission",
      "aws_apigatewayv2_api",
      "aws_s3_bucket_acl",
    ]) {
      expect(types).not.toContain(type);
    }
  });

  it("names everything by project and stage, so that stages stand side by side", () => {
    const name = z.string().regex(/^(\/aws\/(lambda|vendedlogs\/states)\/)?asx[-_]eod[-_]dev[-_]/);
    const named: [type: string, key: string][] = [
      ["aws_lambda_function", "function_name"],
      ["aws_iam_role", "name"],
      ["aws_sfn_state_machine", "name"],
      ["aws_scheduler_schedule", "name"],
      ["aws_scheduler_schedule_group", "name"],
      ["aws_sns_topic", "name"],
      ["aws_sqs_queue", "name"],
      ["aws_cloudwatch_metric_alarm", "alarm_name"],
      ["aws_cloudwatch_dashboard", "dashboard_name"],
      ["aws_cloudwatch_log_group", "name"],
      ["aws_cloudwatch_event_rule", "name"],
      ["aws_athena_workgroup", "name"],
      ["aws_s3_bucket", "bucket"],
    ];
    const dev = synthesiseStack({ ASX_EOD_STAGE: "dev" });
    for (const [type, key] of named) {
      const bodies = Object.values(dev.all(type));
      expect(bodies.length).toBeGreaterThan(0);
      for (const body of bodies) expect(name.safeParse(body[key]).success).toBe(true);
    }
    expect(dev.one("aws_glue_catalog_database", "query/database")["name"]).toBe("asx_eod_dev");
  });

  it("keeps its state beside package.json, or in a bucket that locks it", () => {
    expect(stack.terraform["backend"]).toEqual({ local: { path: "../../../terraform.asx-eod-prod.tfstate" } });
    const remote = synthesiseStack({ ASX_EOD_REMOTE_STATE: '{"bucket":"our-state","region":"us-east-1"}' });
    expect(remote.terraform["backend"]).toEqual({
      s3: { bucket: "our-state", region: "us-east-1", key: "asx-eod-prod.tfstate", encrypt: true, use_lockfile: true },
    });
  });

  it("is for the region that is set, with a provider that knows Node 24 and that its bindings fit", () => {
    expect(stack.region).toBe("ap-southeast-2");
    expect(synthesiseStack({ ASX_EOD_REGION: "eu-west-1" }).region).toBe("eu-west-1");
    // 6.19.0 was the first to accept nodejs24.x (issue 44986 of the provider).
    expect(stack.terraform["required_providers"]).toEqual({ aws: { source: "aws", version: "~> 6.19" } });
    const form = z.object({ cdktf: z.object({ provider: z.object({ version: z.string() }) }) });
    const bindings = new URL("../../node_modules/@cdktf/provider-aws/package.json", import.meta.url);
    expect(form.parse(JSON.parse(readFileSync(bindings, "utf8"))).cdktf.provider.version).toMatch(/^6\.(19|[2-9]\d)\./);
  });

  it("puts out where everything is, and how to run a date by hand", () => {
    expect(stack.outputs).toEqual({
      bucket: "<aws_s3_bucket data/bucket bucket>",
      state_machine_arn: "<aws_sfn_state_machine daily/machine arn>",
      backfill_state_machine_arn: "<aws_sfn_state_machine backfill/machine arn>",
      symbol_updater_function: "<aws_lambda_function symbol-updater/function function_name>",
      batch_fetcher_function: "<aws_lambda_function batch-fetcher/function function_name>",
      run_summary_function: "<aws_lambda_function run-summary/function function_name>",
      notifications_topic_arn: "<aws_sns_topic notifications/topic arn>",
      dashboard_url:
        "https://ap-southeast-2.console.aws.amazon.com/cloudwatch/home?region=ap-southeast-2#dashboards/dashboard/asx-eod-prod-daily",
      athena_workgroup: "<aws_athena_workgroup query/workgroup name>",
      athena_database: "<aws_glue_catalog_database query/database name>",
      manual_run: "npx asx execute --state-machine <aws_sfn_state_machine daily/machine arn> --date YYYY-MM-DD --wait",
      manual_backfill:
        "npx asx execute --state-machine <aws_sfn_state_machine backfill/machine arn> --backfill --from YYYY-MM-DD --wait",
    });
  });
});
