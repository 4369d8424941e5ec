import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { readConfig, SETTINGS } from "../stacks/config.ts";
import { synthesiseStack } from "./support/synthesised-stack.ts";

const page = (name: string): string => readFileSync(new URL(`../docs/${name}`, import.meta.url), "utf8");
const DEPLOY = page("deploy.md");
const SECURITY = page("security.md");
const PACKAGE = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")));

describe("the deploy page", () => {
  it("has every setting with its variable and its default", () => {
    const rows = [...DEPLOY.matchAll(/^\| `(\w+)` \| `(ASX_EOD_\w+)` \| `?([^|`]*)`? \|/gm)];
    expect(rows.map(([, name]) => name)).toEqual([...SETTINGS]);
    const defaults: Record<string, unknown> = readConfig({});
    for (const [, name = "", variable, text = ""] of rows) {
      expect(variable).toBe(`ASX_EOD_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`);
      const value = defaults[name];
      expect(text).toBe(value === undefined ? "none" : typeof value === "string" ? value : JSON.stringify(value));
    }
  });

  it("has an example of a settings file that is valid", () => {
    const [, example = ""] = /^```json\n(.*?)^```$/ms.exec(DEPLOY) ?? [];
    const environment = Object.fromEntries(
      Object.entries(z.record(z.string(), z.unknown()).parse(JSON.parse(example))).map(([name, value]) => [
        `ASX_EOD_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
        JSON.stringify(value),
      ]),
    );
    expect(readConfig(environment)).toMatchObject({ alertEmail: "you@example.com" });
  });

  it("takes out of Terraform's hands, and gives back, the data's bucket by its name in the stack", () => {
    const [, id = ""] = /import aws_s3_bucket\.(\w+) /.exec(DEPLOY) ?? [];
    const stack = synthesiseStack();
    expect(stack.text).toContain(`"${id}": {`);
    expect(stack.one("aws_s3_bucket", "data/bucket")["bucket"]).toBe("asx-eod-prod-data-<account_id>");
    // What the pattern takes out is all of the data's bucket and nothing of another part.
    const ids = [...stack.text.matchAll(/"uniqueId": "([\w-]+)"/g)].map(([, unique = ""]) => unique);
    const taken = ids.filter((unique) => `aws_x.${unique}`.includes(".data_"));
    const paths = stack.resources.filter(({ path }) => path.startsWith("data/"));
    expect(taken).toHaveLength(paths.length);
  });

  it("names scripts, alarms and outputs that exist", () => {
    const scripts = [...DEPLOY.matchAll(/npm run ([a-z]+)/g)].map(([, name = ""]) => name);
    expect(scripts.filter((name) => PACKAGE.scripts[name] === undefined)).toEqual([]);
    const stack = synthesiseStack();
    for (const path of Object.keys(stack.all("aws_cloudwatch_metric_alarm"))) {
      expect(DEPLOY).toContain(`\`${path.replace("alarms/", "")}\``);
    }
    const outputs = [...DEPLOY.matchAll(/output -raw (\w+)|outputs? `(\w+)`/g)].map(
      ([, raw, named]) => raw ?? named ?? "",
    );
    expect(outputs.length).toBeGreaterThan(4);
    expect(outputs.filter((name) => stack.outputs[name] === undefined)).toEqual([]);
  });
});

describe("the policy of whoever runs and reads", () => {
  it("starts, follows and stops executions of this project, reads its data, compacts it, and does nothing else", () => {
    const form = z.object({ Statement: z.array(z.object({ Action: z.array(z.string()), Resource: z.unknown() })) });
    const { Statement } = form.parse(JSON.parse(page("operate-policy.json")));
    expect(Statement.flatMap(({ Action }) => Action)).toEqual([
      "states:StartExecution",
      "states:DescribeExecution",
      "states:GetExecutionHistory",
      "states:StopExecution",
      "s3:ListBucket",
      "s3:GetObject",
      "s3:PutObject",
      "s3:DeleteObject",
    ]);
    const writing = Statement.filter(({ Action }) => Action.includes("s3:PutObject"));
    expect(writing.map(({ Resource }) => Resource)).toEqual(["arn:aws:s3:::asx-eod-*-data-*/curated/*"]);
    expect(JSON.stringify(Statement.map(({ Resource }) => Resource))).not.toMatch(/"\*"/);
  });
});

describe("the security page", () => {
  const form = z.object({ Statement: z.array(z.object({ Action: z.array(z.string()) })) });
  const stack = synthesiseStack();

  it("names every role and every action that a role is given", () => {
    for (const body of Object.values(stack.all("aws_iam_role"))) {
      expect(SECURITY).toContain(`\`${z.string().parse(body["name"]).replace("asx-eod-prod-", "")}\``);
    }
    const given = Object.values(stack.all("aws_iam_role_policy")).flatMap(({ policy }) =>
      form.parse(JSON.parse(z.string().parse(policy))).Statement.flatMap(({ Action }) => Action),
    );
    const named = new Set([...SECURITY.matchAll(/`([a-z0-9]+:[A-Za-z]+)`/g)].map(([, action]) => action));
    expect([...new Set(given)].filter((action) => !named.has(action))).toEqual([]);
  });
});

describe("the pages", () => {
  it("lead to files and headings that are there", () => {
    const files = [
      "README.md",
      ...readdirSync(new URL("../docs/", import.meta.url))
        .filter((name) => name.endsWith(".md"))
        .map((name) => `docs/${name}`),
    ];
    for (const file of files) {
      const base = new URL(`../${file}`, import.meta.url);
      for (const [, target = ""] of readFileSync(base, "utf8").matchAll(/\]\(((?!https?:)[^)]+)\)/g)) {
        const url = new URL(target, base);
        const heading = url.hash.slice(1);
        url.hash = "";
        const text = readFileSync(url, "utf8");
        const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
          title
            .toLowerCase()
            .replaceAll(/[^\w\s-]/g, "")
            .replaceAll(/\s/g, "-"),
        );
        if (heading !== "") expect([file, headings]).toEqual([file, expect.arrayContaining([heading])]);
      }
    }
  });
});
