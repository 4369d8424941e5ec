import { readFileSync } from "node:fs";
import * as z from "zod";
import { InvalidInputError } from "../domain/errors.ts";

/** What `daily.asl.json` leaves open. */
export interface DailyPlaceholders {
  readonly symbolUpdaterArn: string;
  readonly batchFetcherArn: string;
  readonly runSummaryArn: string;
  readonly topicArn: string;
  /** Batches fetched at the same time: 1 to 40. */
  readonly maxConcurrency: number;
  /** Each bounds one try of its function: a little more than the function's own time-out. */
  readonly symbolUpdaterTimeoutSeconds: number;
  readonly batchFetcherTimeoutSeconds: number;
  readonly runSummaryTimeoutSeconds: number;
  /** Bounds the whole run. */
  readonly runTimeoutSeconds: number;
}

/** A state machine in the Amazon States Language, as JSON. */
export type StateMachineJson = Readonly<Record<string, unknown>>;

const definitionForm = z.record(z.string(), z.unknown());
const PLACEHOLDER = /\$\{([^}]*)\}/;

/** The daily workflow as it stands in its file, placeholders and all. */
export function readDailyDefinition(): StateMachineJson {
  return definitionForm.parse(JSON.parse(readFileSync(new URL("./daily.asl.json", import.meta.url), "utf8")));
}

/**
 * The daily workflow with its placeholders filled. A placeholder is a whole JSON string, so that a
 * number put in its place stays a number.
 * @throws InvalidInputError where a placeholder of the file has no value, or a value no placeholder.
 */
export function fillDailyDefinition(
  placeholders: DailyPlaceholders,
  definition: StateMachineJson = readDailyDefinition(),
): StateMachineJson {
  const values = new Map<string, unknown>(Object.entries(placeholders));
  const used = new Set<string>();

  function fill(node: unknown): unknown {
    if (typeof node === "string") return fillText(node);
    if (Array.isArray(node)) return node.map(fill);
    if (typeof node !== "object" || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, fill(value)]));
  }

  function fillText(text: string): unknown {
    const name = PLACEHOLDER.exec(text)?.[1];
    if (name === undefined) return text;
    if (text !== `\${${name}}` || !values.has(name)) {
      throw new InvalidInputError(
        `daily.asl.json has ${JSON.stringify(text)}; known placeholders, each a whole string, are ${[...values.keys()].join(", ")}`,
      );
    }
    used.add(name);
    return values.get(name);
  }

  const filled = definitionForm.parse(fill(definition));
  const unused = [...values.keys()].filter((name) => !used.has(name));
  if (unused.length > 0) throw new InvalidInputError(`daily.asl.json has no placeholder ${unused.join(", ")}`);
  return filled;
}
