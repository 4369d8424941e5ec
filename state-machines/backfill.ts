import type { DailyPlaceholders } from "./daily.ts";
import { fillDefinition, readDefinition, type StateMachineJson } from "./definition.ts";

/** What `backfill.asl.json` leaves open: the same as the daily workflow, as the same functions do the work. */
export type BackfillPlaceholders = DailyPlaceholders;

/** The backfill as it stands in its file, placeholders and all. */
export function readBackfillDefinition(): StateMachineJson {
  return readDefinition(new URL("./backfill.asl.json", import.meta.url));
}

/** The backfill with its placeholders filled. Throws as {@link fillDefinition} does. */
export function fillBackfillDefinition(
  placeholders: BackfillPlaceholders,
  definition: StateMachineJson = readBackfillDefinition(),
): StateMachineJson {
  return fillDefinition(definition, placeholders);
}
