import { type BackfillPlan, backfillEvent, isOfBackfill } from "../../domain/backfill.ts";
import { type SymbolUpdate, symbolUpdaterEvent } from "../../domain/batch.ts";
import { parseInput } from "../../domain/parse.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { createHandler, lazyHandler } from "../runtime/lambda-handler.ts";
import { createLambdaRuntime } from "../runtime/lambda-runtime.ts";
import type { Environment, Handler, Runtime } from "../runtime/runtime.ts";
import { parseSymbolUpdaterEnvironment } from "./env.ts";
import { planBackfill } from "./plan-backfill.ts";
import { updateSymbols } from "./update-symbols.ts";

const NAME = "symbol-updater";

/** The symbol updater for an environment and a runtime: of a date, or of a backfill. Throws an InvalidInputError for a bad environment variable. */
export function createSymbolUpdater(environment: Environment, runtime: Runtime): Handler<SymbolUpdate | BackfillPlan> {
  const config = parseSymbolUpdaterEnvironment(environment);
  const calendar = createTradingCalendar(config.marketClosures);
  const options = { config, calendar, runtime };
  return createHandler<SymbolUpdate | BackfillPlan>(NAME, runtime, (event) =>
    isOfBackfill(event)
      ? planBackfill(parseInput(backfillEvent, event, "event"), options)
      : updateSymbols(parseInput(symbolUpdaterEvent, event, "event"), options),
  );
}

/** The Lambda's entry. */
export const handler = lazyHandler(async () =>
  createSymbolUpdater(process.env, await createLambdaRuntime(NAME, process.env)),
);
