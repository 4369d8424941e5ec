import type { z } from "zod";
import { InvalidInputError } from "./errors.ts";
import { quote } from "./text.ts";

const LONGEST_SHOWN = 80;
const HIDDEN = "(hidden)";

/**
 * Parses untrusted data once, at the boundary.
 * @param what names the source for the message, such as `event` or `environment`.
 * @throws InvalidInputError that names every bad field, its value and what is allowed. Values of
 *   fields whose name has TOKEN in it are not shown.
 */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 5).map((issue) => {
    const path = issue.path.map(String).join(".");
    return `${path === "" ? what : path} is ${show(valueAt(input, issue.path), path)}: ${issue.message}`;
  });
  throw new InvalidInputError(`invalid ${what}: ${issues.join("; ")}`, { cause: parsed.error });
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Object.getOwnPropertyDescriptor(value, key)?.value;
  }
  return value;
}

function show(value: unknown, path: string): string {
  if (value === undefined) return "missing";
  if (isSecret(path)) return HIDDEN;
  if (typeof value === "string")
    return value.length > LONGEST_SHOWN ? `${quote(value, LONGEST_SHOWN)}...` : quote(value);
  const text = typeof value === "object" ? toJson(value) : String(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}...` : text;
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (key, part: unknown) => {
    if (isSecret(key)) return HIDDEN;
    const hasNoForm = typeof part === "bigint" || (typeof part === "number" && !Number.isFinite(part));
    return hasNoForm ? String(part) : part;
  });
}

function isSecret(name: string): boolean {
  return /token/i.test(name);
}
