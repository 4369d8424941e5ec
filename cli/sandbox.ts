import { Command } from "commander";
import { InvalidInputError } from "../domain/errors.ts";
import { FAULTS, type FaultShares, faulty } from "../sandbox/faults.ts";
import type { Market } from "../sandbox/market.ts";
import { createReplayMarket } from "../sandbox/replay-market.ts";
import { delayed, startSandbox } from "../sandbox/server.ts";
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
  readonly fault?: FaultShares;
  readonly faultSeed: number;
}

const HELP = `
Examples:
  asx sandbox                                        a made-up market on port 8080
  asx run --source http://127.0.0.1:8080 --rate unlimited
  asx sandbox --fault rate-limit=0.1,server-error=0.1,reset=0.05
  asx sandbox --replay eod-files --directory ASXListedCompanies.csv

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
    .option(
      "--fault <shares>",
      `faults and their shares of the requests: ${Object.keys(FAULTS).join(", ")}`,
      faultArgument,
    )
    .option("--fault-seed <n>", "seed of the moments at which faults are made", wholeNumberArgument(0, 2 ** 31), 1)
    .addHelpText("after", HELP)
    .action((options: SandboxCommandOptions) => sandbox(options, terminal));
}

async function sandbox(options: SandboxCommandOptions, { stdout, clock, interrupted }: Terminal): Promise<void> {
  const running = await startSandbox(
    {
      market: openMarket(options, clock.now),
      now: clock.now,
      delivery: faulty(options.fault ?? {}, options.faultSeed, delayed(options.latencyMs)),
    },
    options.port,
  );
  writeLine(stdout, `The sandbox listens on ${running.url} (Ctrl-C stops it). Try:`);
  writeLine(stdout, `  npx asx run --source ${running.url} --rate unlimited --store file:./sandbox-data`);
  await interrupted();
  await running.close();
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
