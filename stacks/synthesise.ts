import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { App } from "cdktf";
import { AsxEodStack, stackName } from "./asx-eod-stack.ts";
import { buildBundles } from "./bundles.ts";
import { readConfig } from "./config.ts";

/** Where the stack is written, whatever folder the command is typed in: `cdktf.out` beside package.json. */
const OUTPUT_FOLDER = fileURLToPath(new URL("../cdktf.out", import.meta.url));

/** A synthesised deployment. */
export interface Synthesised {
  /** Folder of the stack's Terraform JSON and its archives. */
  readonly folder: string;
  /** What a person should know of it, a line each. */
  readonly remarks: readonly string[];
}

/**
 * Checks the configuration, bundles the Lambdas as their sources are now, and writes the stack as
 * Terraform JSON: below CDKTF_OUTDIR where a CLI of CDKTF sets it. Needs no credentials. The same sources
 * and configuration give the same bytes.
 * @throws InvalidInputError for a bad configuration, before anything is written.
 */
export async function synthesise(environment: Readonly<Record<string, string | undefined>>): Promise<Synthesised> {
  const config = readConfig(environment);
  const bundles = await buildBundles();
  const app = new App({ outdir: environment["CDKTF_OUTDIR"] ?? OUTPUT_FOLDER });
  new AsxEodStack(app, config, bundles);
  app.synth();
  const folder = join(app.outdir, "stacks", stackName(config.stage));
  const { stage, hasFile, alertEmail, schedule } = config;
  return {
    folder,
    remarks: [
      `stage ${stage}${hasFile ? "" : ` (there is no stacks/stages/${stage}.json: defaults)`}: ${relative(process.cwd(), folder)}`,
      ...(schedule.enabled && alertEmail === undefined
        ? ["no alertEmail is set: nobody is told when a run fails"]
        : []),
    ],
  };
}
