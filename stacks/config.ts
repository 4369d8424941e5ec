/** What a deployment is made of, read from a small file and the environment, and checked before anything is written. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { InvalidInputError, messageOf } from "../domain/errors.ts";
import { parseInput } from "../domain/parse.ts";
import { asxSymbol } from "../domain/symbol.ts";
import { SETTLED_TIME, tradingDate } from "../domain/trading-date.ts";
import { codeOf } from "../stores/error-code.ts";
import { batchFits, LONGEST_BATCH_SECONDS, runFits } from "./time-outs.ts";

/** Environment variables that set up a deployment begin with this. */
const PREFIX = "ASX_EOD_";

/** Folder of the settings, a file a stage: `prod.json`. A stage without one has the defaults. */
export const STAGES_FOLDER = fileURLToPath(new URL("stages/", import.meta.url));

/** What CloudWatch Logs takes as retention, in days (PutRetentionPolicy), up to two years. */
const LOG_RETENTIONS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731] as const;

const stageName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,10}[a-z0-9]$/, "expected 2 to 12 of a-z, 0-9 and -, from a letter to a letter or digit");

const awsRegion = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "expected an AWS region such as ap-southeast-2");

function wholeNumber(smallest: number, largest: number) {
  const message = `expected a whole number from ${smallest} to ${largest}`;
  return z.int(message).min(smallest, message).max(largest, message);
}

/** A time of day in Sydney within bounds, `HH:MM`, both inclusive: text sorts as times do. */
function timeOfDay(earliest: string, latest: string) {
  return z
    .string()
    .refine(
      (time) => /^([01]\d|2[0-3]):[0-5]\d$/.test(time) && time >= earliest && time <= latest,
      `expected a time in Sydney, HH:MM, from ${earliest} to ${latest}`,
    );
}

/** A list, in JSON or as text with commas. Lambda's environment bounds how long it may be. */
function listOf(item: z.ZodType<string, string>, most: number, example: string) {
  // 360 is a symbol, and JSON takes it for a number.
  const split = (value: unknown): unknown =>
    typeof value === "string" || typeof value === "number"
      ? String(value)
          .split(",")
          .map((part) => part.trim())
      : value;
  const message = `expected a list of at most ${most}, such as ${example}`;
  return z.preprocess(split, z.array(item, message).max(most, message));
}

const requestsMessage = "expected a number from 0.01 to 1000";

const settings = z
  .strictObject({
    /** AWS region of everything. */
    region: awsRegion,
    schedule: z.strictObject({
      enabled: z.boolean("expected true or false"),
      /** The run of the day, Monday to Friday. */
      dailyAt: timeOfDay(SETTLED_TIME, "23:30"),
      /** The catch-up every morning: fetches what the evening before left without a final outcome. */
      catchUpAt: timeOfDay("04:00", "12:00"),
    }),
    /** Gets the notifications and alarms; AWS asks it for a confirmation first. */
    alertEmail: z.email("expected an e-mail address").optional(),
    /** Batches fetched at the same time. */
    concurrency: wholeNumber(1, 40),
    /** Symbols a batch. */
    // With more than a hundred batches their results come near what the workflow's messages may hold.
    batchSize: wholeNumber(25, 1000),
    /** Requests a second to the price source, over all batches. */
    requestsPerSecond: z.number(requestsMessage).min(0.01, requestsMessage).max(1000, requestsMessage),
    /** Days that an overwritten or deleted version of a stored file can still be brought back. */
    retentionDays: wholeNumber(1, 3650),
    /** Days that logs are kept. */
    logRetentionDays: z.literal(LOG_RETENTIONS, `expected one of ${LOG_RETENTIONS.join(", ")}`),
    /** Policy that bounds what every role of the deployment can be given. */
    permissionsBoundaryArn: z
      .string()
      .regex(/^arn:aws[a-z-]*:iam::(\d{12}|aws):policy\/[\w+=,.@/-]{1,512}$/, "expected the ARN of an IAM policy")
      .optional(),
    /** Whether the stored data is safe from a destroy of the deployment. */
    protectData: z.boolean("expected true or false"),
    /** Symbols besides the directory's, most ETFs above all. */
    extraSymbols: listOf(asxSymbol, 300, "VAS,A200"),
    /** Closed dates that the exchange's rules do not know. */
    marketClosures: listOf(tradingDate, 60, "2026-09-22,2026-12-24"),
    /** Tags of everything, besides those of the project and the stage. */
    tags: z
      .record(
        z
          .string()
          .regex(
            /^(?!aws:)[\w .:/=+@-]{1,128}$/i,
            "expected a tag's key: 1 to 128 of A-Z a-z 0-9 _.:/=+@- and spaces, not aws:",
          ),
        z
          .string()
          .regex(/^[\w .:/=+@-]{0,256}$/, "expected a tag's value: up to 256 of A-Z a-z 0-9 _.:/=+@- and spaces"),
      )
      .refine(
        // IAM takes keys that differ by case for the same.
        (tags) =>
          new Set(["project", "stage", ...Object.keys(tags).map(lowerCase)]).size === Object.keys(tags).length + 2,
        "project and stage are set by the deployment itself; expected other keys, that differ by more than case",
      )
      .refine((tags) => Object.keys(tags).length <= 40, "expected at most 40 tags"),
    /** Bucket that keeps Terraform's state; without one it lies in a file beside package.json. */
    remoteState: z
      .strictObject(
        {
          bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "expected the name of an S3 bucket"),
          region: awsRegion,
        },
        'expected JSON such as {"bucket":"my-state","region":"ap-southeast-2"}',
      )
      .optional(),
  })
  .refine(runFits, {
    path: ["batchSize"],
    message:
      "too small: with so few symbols at the same time a run may take more than a day; raise batchSize or concurrency",
  })
  .refine(batchFits, {
    path: ["requestsPerSecond"],
    message:
      `too few for the batches: batchSize x concurrency / requestsPerSecond is how many seconds a batch takes, ` +
      `and may be ${LONGEST_BATCH_SECONDS} at most; raise requestsPerSecond, or lower concurrency or batchSize`,
  });

/** How a deployment is set up. */
export type DeploymentConfig = z.infer<typeof settings> & {
  /** Tells the deployments of one account apart; part of every name. */
  readonly stage: string;
  /** Whether the stage has a file of settings. */
  readonly hasFile: boolean;
};

/** A sensible production. */
const DEFAULTS: z.infer<typeof settings> = {
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
};

/** The names of all settings. */
export const SETTINGS: ReadonlySet<string> = new Set(Object.keys(settings.shape));

/** Environment variables of other things than settings. */
const STAGE_VARIABLE = `${PREFIX}STAGE`;

/**
 * Reads the configuration of a stage: the defaults, over them `stacks/stages/STAGE.json` where there is
 * one, over that the environment. `ASX_EOD_STAGE` names the stage (default `prod`); every setting has a
 * variable, `ASX_EOD_REQUESTS_PER_SECOND` for `requestsPerSecond`, whose value is text or JSON.
 * @throws InvalidInputError that names the bad setting, its value and what is allowed.
 */
export function readConfig(
  environment: Readonly<Record<string, string | undefined>>,
  folder: string = STAGES_FOLDER,
): DeploymentConfig {
  const { stage } = parseInput(
    z.object({ stage: stageName }),
    { stage: environment[STAGE_VARIABLE] ?? "prod" },
    "stage",
  );
  const path = join(folder, `${stage}.json`);
  const file = readStageFile(path);
  const variables = settingsOf(environment);
  const source = `configuration of stage ${stage} (${path} and ${PREFIX}* variables)`;
  const merged = {
    ...DEFAULTS,
    ...file,
    ...variables,
    schedule: mergedSchedule(file?.["schedule"], variables["schedule"]),
  };
  return { ...parseInput(settings, merged, source), stage, hasFile: file !== undefined };
}

/** A schedule is set part by part. What is no object is left to be refused. */
function mergedSchedule(...layers: unknown[]): unknown {
  let merged: Record<string, unknown> = { ...DEFAULTS.schedule };
  for (const layer of layers) {
    if (layer === undefined) continue;
    if (!isRecord(layer)) return layer;
    merged = { ...merged, ...layer };
  }
  return merged;
}

function readStageFile(path: string): Record<string, unknown> | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw new InvalidInputError(`${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (!isRecord(parsed)) throw new TypeError("it is something else");
    return parsed;
  } catch (cause) {
    throw new InvalidInputError(`${path} is no JSON object: ${messageOf(cause)}`, { cause });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The settings that environment variables give. A variable that names no setting is a typing error, and refused. */
function settingsOf(environment: Readonly<Record<string, string | undefined>>): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [variable, value] of Object.entries(environment)) {
    if (value === undefined || !variable.startsWith(PREFIX) || variable === STAGE_VARIABLE) continue;
    const name = camelCase(variable.slice(PREFIX.length));
    if (!SETTINGS.has(name)) {
      const known = [...SETTINGS].map((setting) => PREFIX + upperCase(setting)).join(", ");
      throw new InvalidInputError(`${variable} is no setting; known are ${STAGE_VARIABLE}, ${known}`);
    }
    found[name] = fromText(value);
  }
  return found;
}

/** Numbers, flags, lists and objects are JSON; what is none is text. */
function fromText(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function lowerCase(text: string): string {
  return text.toLowerCase();
}

function camelCase(name: string): string {
  return name.toLowerCase().replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function upperCase(setting: string): string {
  return setting.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}
