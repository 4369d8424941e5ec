import * as z from "zod";

const lambdaCause = z.object({ errorMessage: z.string() });

/** Lambda gives the cause of its errors as JSON with the message in it; Step Functions' own causes are plain text. */
export function causeMessage(cause: string): string {
  try {
    const parsed = lambdaCause.safeParse(JSON.parse(cause));
    return parsed.success ? parsed.data.errorMessage : cause;
  } catch {
    return cause; // not JSON
  }
}
