import { messageOf } from "../domain/errors.ts";
import { withoutControls } from "../domain/text.ts";

/** Where in a query the engine sees the fault: a line of the query, and below it a mark. */
const POSITION = /^(LINE \d+: )([^\n]*)\n( *)\^/m;

/** The message of an error in lines: where a query is wrong, its line and the mark below it have lines of their own. */
export function messageLines(error: unknown): string[] {
  const position = positionIn(error);
  const message = messageOf(error);
  return position.length === 0 ? [message] : [message.replace(/ LINE \d+: .*? \^(?=;|$)/, ""), ...position];
}

function positionIn(error: unknown): string[] {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const [, line = "", query = "", indent = ""] = POSITION.exec(cause.message) ?? [];
    if (line !== "") return [`${line}${withoutControls(query)}`, `${indent}^`];
  }
  return [];
}
