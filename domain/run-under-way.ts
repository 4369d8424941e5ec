import * as z from "zod";
import { causeMessage } from "./lambda-cause.ts";

/** What an execution of the workflow ends with where another run has its date. */
const underWay = z.object({ status: z.literal("under-way"), cause: z.string() });

/** Why an execution left its date to another run, by the execution's output; undefined where it did not. */
export function reasonLeftToAnother(output: unknown): string | undefined {
  const left = underWay.safeParse(output).data;
  return left && causeMessage(left.cause);
}
