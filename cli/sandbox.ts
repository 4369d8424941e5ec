import { Command } from "commander";
import { InvalidInputError } from "../domain/errors.ts";
import { FAULT_GROUPS, type FaultShares, faulty } from "../sandbox/faults.ts";
import type { Market } from "../sandbox/market.ts";
import { rateLimited } from "../sandbox/rate-limit.ts";
import { createReplayMarket } from "../sandbox/replay-market.ts";
import { type Delivery, delayed, startSandbox } from "../sandbox/server.ts";
import { createSyntheticMarket } from "../sandbox/synthetic-market.ts";
import { faultArgument, wholeNumberArgument } from "./arguments.ts";
import { type Terminal, writeLine } from "./terminal.ts";
import { DEFAULT_SEED } from "./upstream.ts";

interface SandboxCommandOptions {
  readonly port: number;
  readonly replay?: string;
  readonly directory?: string;
  readonly seed?: number;
  readonly latencyMs: number;
  readonly rateLimit?: number;
  readonly rateBurst?: number;
  readonly retryAfter: boolean;
  readonly fault?: FaultShares;
  readonly faultSeed: number;
}

const HELP = `
Examples:
  asx sandbox                                        a made-up market on port 8080
  asx run --source http://127.0.0.1:8080 --rate unlimited
  asx sandbox --rate-limit 5                         429 above five charts a second
  asx sandbox --fault server-error=0.1,reset=0.05    a tenth and a twentieth of the answers
  asx sandbox --fault directory-html=1               no directory at all
  asx sandbox --replay eod-files --directory ASXListedCompanies.csv

A share of a fault is from 0 to 1, of the requests that it can be made of. The same seed makes the same faults: they
depend on the symbol and on how often it has been asked for, not on the order of the symbols.

A replay reads FOLDER/YYYY/YYYYMMDD.csv: code,yyyymmdd,open,high,low,close,volume, no header.

Exit codes: 0 stopped by Ctrl-C, 64 bad usage.`;

/** `asx sandbox`: the stand-in market as a server. */
export function sandboxCommand(terminal: Terminal): Command {
  return new Command("sandbox")
    .summary("serve a stand-in market")
    .description(
      "Serves stand-ins of the ASX directory and of Yahoo's chart on 127.0.0.1, with a made-up or a replayed market behind them.",
    )
    .option("--port <port>", "port to listen on, 0 for any", wholeNumberArgument(0, 65_535), 8080)
    .option("--replay <folder>", "replay recorded days; needs --directory")
    .option("--directory <csv>", "the ASX directory of a replay, served as it is")
    .option("--seed <n>", `seed of the made-up market (default: ${DEFAULT_SEED})`, wholeNumberArgument(0, 2 ** 31))
    .option("--latency-ms <n>", "delay of every answer in milliseconds", wholeNumberArgument(0, 60_000), 0)
    .option("--rate-limit <n>", "charts a second, 429 above (default: no limit)", wholeNumberArgument(1, 1000))
    .option(
      "--rate-burst <n>",
      "charts at once within the limit (default: those of a second)",
      wholeNumberArgument(1, 10_000),
    )
    .option("--no-retry-after", "the limit does not say how long to wait")
    .option(
      "--fault <shares>",
      "faults and their shares of the requests: NAME=SHARE,NAME=SHARE; the names are below",
      faultArgument,
    )
    .option("--fault-seed <n>", "seed of the moments at which faults are made", wholeNumberArgument(0, 2 ** 31), 1)
    .addHelpText("after", () => `\n${describeFaults()}`)
    .addHelpText("after", HELP)
    .action((options: SandboxCommandOptions) => sandbox(options, terminal));
}

async function sandbox(options: SandboxCommandOptions, { stdout, clock, interrupted }: Terminal): Promise<void> {
  const running = await startSandbox(
    {
      market: openMarket(options, clock.now),
      now: clock.now,
      delivery: faulty(options.fault ?? {}, options.faultSeed, limited(options, clock.now)),
    },
    options.port,
  );
  writeLine(stdout, `The sandbox listens on ${running.url} (Ctrl-C stops it). Try:`);
  writeLine(stdout, `  npx asx run --source ${running.url} --rate unlimited --store file:./sandbox-data`);
  await interrupted();
  await running.close();
}

/** Late, and refused above the limit. */
function limited({ latencyMs, rateLimit, rateBurst, retryAfter }: SandboxCommandOptions, now: () => number): Delivery {
  if (rateLimit !== undefined) {
    const limit = { perSecond: rateLimit, burst: rateBurst ?? rateLimit, retryAfter };
    return rateLimited(limit, now, delayed(latencyMs));
  }
  if (rateBurst !== undefined || !retryAfter)
    throw new InvalidInputError("--rate-burst and --no-retry-after go with --rate-limit N");
  return delayed(latencyMs);
}

/** Every fault with what it does, by subject. */
function describeFaults(): string {
  const widest = Math.max(...FAULT_GROUPS.flatMap(({ faults }) => Object.keys(faults).map((name) => name.length)));
  return FAULT_GROUPS.map(({ title, faults }) => {
    const lines = Object.entries(faults).map(([name, { description }]) => `  ${name.padEnd(widest)}  ${description}`);
    return [`${title}:`, ...lines, ""].join("\n");
  })
    .join("\n")
    .trimEnd();
}

function openMarket({ replay, directory, seed }: SandboxCommandOptions, now: () => number): Market {
  if (replay === undefined && directory === undefined)
    return createSyntheticMarket({ seed: seed ?? DEFAULT_SEED, now });
  if (replay === undefined || directory === undefined) {
    throw new InvalidInputError(
      "--replay FOLDER and --directory CSV go together: the recorded days and the list of companies",
    );
  }
  if (seed !== undefined) throw new InvalidInputError("--seed is for the made-up market; a replay has no chance in it");
  return createReplayMarket({ folder: replay, directoryFile: directory });
}
