import * as z from "zod";
import { messageOf } from "../../domain/errors.ts";
import { shorten } from "../../domain/text.ts";
import type { Handler, Runtime } from "./runtime.ts";

/** Longest message of an error that crosses the workflow: fifty lost batches stay far below its 256 KiB. */
const LONGEST_MESSAGE = 256;

/** An error as the workflow sees it: name and bounded message. The whole error is in the log. */
class ReportedError extends Error {
  constructor(cause: unknown) {
    super(shorten(messageOf(cause), LONGEST_MESSAGE), { cause });
    this.name = cause instanceof Error ? cause.name : "Error";
    // Lambda sends the stack along with the error; it would dwarf the message.
    this.stack = `${this.name}: ${this.message}`;
  }
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
export function lazyHandler<Message>(create: () => Handler<Message> | Promise<Handler<Message>>): Handler<Message> {
  let handler: Handler<Message> | undefined;
  return async (event, invocation) => {
    handler ??= await create();
    return handler(event, invocation);
  };
}
