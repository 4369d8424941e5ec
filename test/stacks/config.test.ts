import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InvalidInputError } from "../../domain/errors.ts";
import { readConfig } from "../../stacks/config.ts";
import { synthesiseStack } from "../support/synthesised-stack.ts";

let folder: string;
beforeAll(() => {
  folder = `${mkdtempSync(join(tmpdir(), "asx-eod-stages-"))}/`;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function writeStage(stage: string, text: string): void {
  writeFileSync(join(folder, `${stage}.json`), text);
}

describe("the configuration of a deployment", () => {
  it("is a sensible production where nothing is set", () => {
    expect(readConfig({}, folder)).toEqual({
      stage: "prod",
      hasFile: false,
      region: "ap-southeast-2",
      schedule: { enabled: true, dailyAt: "19:30", catchUpAt: "07:00" },
      concurrency: 10,
      batchSize: 100,
      requestsPerSecond: 5,
      retentionDays: 90,
      logRetentionDays: 365,
      protectData: true,
      extraSymbols: [],
      marketClosures: [],
      tags: {},
    });
  });

  it("comes from the stage's file, and over it from the environment", () => {
    writeStage("test-1", '{ "region": "eu-west-1", "concurrency": 4, "schedule": { "dailyAt": "20:15" } }');
    const config = readConfig(
      {
        ASX_EOD_STAGE: "test-1",
        ASX_EOD_CONCURRENCY: "2",
        ASX_EOD_ALERT_EMAIL: "quant@example.com",
        ASX_EOD_EXTRA_SYMBOLS: '["VAS","A200"]',
        ASX_EOD_REMOTE_STATE: '{"bucket":"our-state","region":"us-east-1"}',
        OTHER: "ignored",
      },
      folder,
    );
    expect(config).toMatchObject({
      stage: "test-1",
      region: "eu-west-1",
      concurrency: 2,
      schedule: { enabled: true, dailyAt: "20:15", catchUpAt: "07:00" },
      alertEmail: "quant@example.com",
      extraSymbols: ["VAS", "A200"],
      remoteState: { bucket: "our-state", region: "us-east-1" },
    });
  });

  it.each([
    ["ASX_EOD_STAGE", "Prod", /stage is "Prod": expected 2 to 12 of a-z/],
    ["ASX_EOD_STAGE", "../prod", /stage is/],
    ["ASX_EOD_REGION", "sydney", /region is "sydney": expected an AWS region such as ap-southeast-2/],
    ["ASX_EOD_CONCURRENCY", "41", /concurrency is 41: expected a whole number from 1 to 40/],
    ["ASX_EOD_BATCH_SIZE", "1.5", /batchSize is 1.5: expected a whole number from 25 to 1000/],

    ["ASX_EOD_REQUESTS_PER_SECOND", "fast", /requestsPerSecond is "fast": expected a number from 0.01 to 1000/],
    ["ASX_EOD_REQUESTS_PER_SECOND", "1", /requestsPerSecond is 1: too few for the batches.*600 at most/],
    ["ASX_EOD_RETENTION_DAYS", "0", /retentionDays is 0: expected a whole number from 1 to 3650/],
    ["ASX_EOD_LOG_RETENTION_DAYS", "8", /logRetentionDays is 8: expected one of 1, 3, 5, 7/],
    ["ASX_EOD_ALERT_EMAIL", "me", /alertEmail is "me": expected an e-mail address/],
    [
      "ASX_EOD_PERMISSIONS_BOUNDARY_ARN",
      "arn:aws:iam::1:role/x",
      /permissionsBoundaryArn is .*expected the ARN of an IAM policy/,
    ],
    ["ASX_EOD_PROTECT_DATA", "yes", /protectData is "yes": expected true or false/],
    ["ASX_EOD_EXTRA_SYMBOLS", '["vas"]', /extraSymbols.0 is "vas"/],
    ["ASX_EOD_MARKET_CLOSURES", '["2026-02-30"]', /marketClosures.0 is "2026-02-30": expected a date that exists/],
    ["ASX_EOD_TAGS", '{"stage":"x"}', /tags is .*project and stage are set by the deployment itself/],
    ["ASX_EOD_TAGS", '{"aws:x":"x"}', /tags.*aws:/],
    ["ASX_EOD_TAGS", '{"Project":"x"}', /tags is .*differ by more than case/],
    ["ASX_EOD_TAGS", '{"Owner":"x","owner":"y"}', /tags is .*differ by more than case/],
    ["ASX_EOD_REMOTE_STATE", "my-bucket", /remoteState is "my-bucket": expected JSON such as/],
    [
      "ASX_EOD_EXTRA_SYMBOLS",
      JSON.stringify(Array.from({ length: 301 }, () => "VAS")),
      /extraSymbols is .*at most 300, such as VAS,A200/,
    ],
    [
      "ASX_EOD_REMOTE_STATE",
      '{"bucket":"B"}',
      /remoteState.bucket is "B": expected the name of an S3 bucket.*remoteState.region is missing/,
    ],
    [
      "ASX_EOD_SCHEDULE",
      '{"dailyAt":"18:59"}',
      /schedule.dailyAt is "18:59": expected a time in Sydney, HH:MM, from 19:00 to 23:30/,
    ],
    ["ASX_EOD_SCHEDULE", '{"catchUpAt":"7:00"}', /schedule.catchUpAt is "7:00"/],
    ["ASX_EOD_SCHEDULE", '{"cron":"* * *"}', /schedule.*cron/],
    ["ASX_EOD_CONCURENCY", "10", /ASX_EOD_CONCURENCY is no setting; known are ASX_EOD_STAGE, ASX_EOD_REGION/],
  ])("refuses %s=%s by its name, its value and what is allowed", (variable, value, message) => {
    const read = () => readConfig({ [variable]: value }, folder);
    expect(read).toThrow(InvalidInputError);
    expect(read).toThrow(message);
  });

  it("takes lists with commas too, and a schedule part by part", () => {
    writeStage("parts", '{ "schedule": { "dailyAt": "20:15" } }');
    const environment = {
      ASX_EOD_STAGE: "parts",
      ASX_EOD_EXTRA_SYMBOLS: "VAS, A200",
      ASX_EOD_SCHEDULE: '{"enabled":false}',
    };
    expect(readConfig(environment, folder)).toMatchObject({
      hasFile: true,
      extraSymbols: ["VAS", "A200"],
      schedule: { enabled: false, dailyAt: "20:15", catchUpAt: "07:00" },
    });
  });

  it("takes a symbol of digits for a symbol", () => {
    expect(readConfig({ ASX_EOD_EXTRA_SYMBOLS: "360" }, folder).extraSymbols).toEqual(["360"]);
  });

  it("refuses so few symbols at the same time that a run could take more than a day", () => {
    const few = { ASX_EOD_CONCURRENCY: "4", ASX_EOD_BATCH_SIZE: "10" };
    expect(() => readConfig(few, folder)).toThrow(/batchSize is 10: too small: .*raise batchSize or concurrency/);
    expect(readConfig({ ASX_EOD_CONCURRENCY: "1" }, folder).concurrency).toBe(1);
  });

  it("leaves what the Lambdas get within the 4 KB of their environment, at the longest lists", () => {
    const environment = {
      ASX_EOD_EXTRA_SYMBOLS: JSON.stringify(Array.from({ length: 300 }, () => "ABCDEF")),
      ASX_EOD_MARKET_CLOSURES: JSON.stringify(Array.from({ length: 60 }, () => "2026-12-24")),
    };
    for (const body of Object.values(synthesiseStack(environment).all("aws_lambda_function"))) {
      expect(JSON.stringify(body["environment"]).length).toBeLessThan(4_096);
    }
  });

  it.each([
    ["{", "is no JSON object"],
    ["[]", "is no JSON object"],
    ['{ "alertMail": "x@example.com" }', "alertMail"],
  ])("refuses the file %s and names it", (text, message) => {
    writeStage("broken", text);
    const read = () => readConfig({ ASX_EOD_STAGE: "broken" }, folder);
    expect(read).toThrow("broken.json");
    expect(read).toThrow(message);
  });

  it("of every stage that comes with the project is valid", () => {
    expect(readConfig({ ASX_EOD_STAGE: "dev" })).toMatchObject({ protectData: false, schedule: { enabled: false } });
  });
});
