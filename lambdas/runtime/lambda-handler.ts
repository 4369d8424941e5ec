import * as z from "zod";
import { messageOf } from "../../domain/errors.ts";
import type { Handler, Runtime } from "./runtime.ts";

/** Longest message of an error that crosses the workflow: fifty lost batches stay far below its 256 KiB. */
const LONGEST_MESSAGE = 256;

/** An error as the workflow sees it: name and bounded message. The whole error is in the log. */
class ReportedError extends Error {
  constructor(cause: unknown) {
    super(bounded(messageOf(cause)), { cause });
    this.name = cause instanceof Error ? cause.name : "Error";
    // Lambda sends the stack along with the error; it would dwarf the message.
    this.stack = `${this.name}: ${this.message}`;
  }
}

/** A message begins with what happened and ends with what to do: what is too long is cut in its middle. */
function bounded(message: string): string {
  if (message.length <= LONGEST_MESSAGE) return message;
  const kept = LONGEST_MESSAGE - " ... ".length;
  return `${message.slice(0, Math.ceil(kept / 2))} ... ${message.slice(-Math.floor(kept / 2))}`;
}

const identity = z.object({
  date: z.string().optional().catch(undefined),
  batchNumber: z.number().optional().catch(undefined),
});

/**
 * Makes a handler of a use case: logs a failure whole, publishes the metrics, and lets the error
 * through under its own name, by which the workflow decides whether to try again.
 */
export function createHandler<Message>(name: string, runtime: Runtime, useCase: Handler<Message>): Handler<Message> {
  return async (event, invocation) => {
    try {
      return await useCase(event, invocation);
    } catch (error) {
      runtime.logger.error(`${name} failed: ${messageOf(error)}`, { ...identity.safeParse(event).data, error });
      throw new ReportedError(error);
    } finally {
      runtime.metrics.publish();
    }
  };
}

/** A handler made on its first call, so that loading the module needs no environment. */
export function lazyHandler<Message>(create: () => Handler<Message>): Handler<Message> {
  let handler: Handler<Message> | undefined;
  return async (event, invocation) => {
    handler ??= create();
    return handler(event, invocation);
  };
}
