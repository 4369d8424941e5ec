import { type SymbolUpdate, symbolUpdaterEvent } from "../../domain/batch.ts";
import { parseInput } from "../../domain/parse.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { createHandler, lazyHandler } from "../runtime/lambda-handler.ts";
import { createLambdaRuntime } from "../runtime/lambda-runtime.ts";
import type { Environment, Handler, Runtime } from "../runtime/runtime.ts";
import { parseSymbolUpdaterEnvironment } from "./env.ts";
import { updateSymbols } from "./update-symbols.ts";

const NAME = "symbol-updater";

/** The symbol updater for an environment and a runtime. Throws an InvalidInputError for a bad environment variable. */
export function createSymbolUpdater(environment: Environment, runtime: Runtime): Handler<SymbolUpdate> {
  const config = parseSymbolUpdaterEnvironment(environment);
  const calendar = createTradingCalendar(config.marketClosures);
  return createHandler(NAME, runtime, (event) =>
    updateSymbols(parseInput(symbolUpdaterEvent, event, "event"), { config, calendar, runtime }),
  );
}

/** The Lambda's entry. */
export const handler = lazyHandler(async () =>
  createSymbolUpdater(process.env, await createLambdaRuntime(NAME, process.env)),
);
