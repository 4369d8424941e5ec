/** Reads the definitions of the state machines and fills their placeholders. */
import { readFileSync } from "node:fs";
import * as z from "zod";
import { InvalidInputError } from "../domain/errors.ts";

/** A state machine in the Amazon States Language, as JSON. */
export type StateMachineJson = Readonly<Record<string, unknown>>;

const definitionForm = z.record(z.string(), z.unknown());
const PLACEHOLDER = /\$\{([^}]*)\}/;

/** A state machine as it stands in its file, placeholders and all. */
export function readDefinition(file: URL): StateMachineJson {
  return definitionForm.parse(JSON.parse(readFileSync(file, "utf8")));
}

/**
 * A definition with its placeholders filled. A placeholder is a whole JSON string, so that a number put
 * in its place stays a number.
 * @throws InvalidInputError where a placeholder of the file has no value, or a value no placeholder.
 */
export function fillDefinition(definition: StateMachineJson, placeholders: object): StateMachineJson {
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
        `the definition has ${JSON.stringify(text)}; known placeholders, each a whole string, are ${[...values.keys()].join(", ")}`,
      );
    }
    used.add(name);
    return values.get(name);
  }

  const filled = definitionForm.parse(fill(definition));
  const unused = [...values.keys()].filter((name) => !used.has(name));
  if (unused.length > 0) throw new InvalidInputError(`the definition has no placeholder ${unused.join(", ")}`);
  return filled;
}
