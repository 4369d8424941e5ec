import { App } from "cdktf";
import { AsxEodStack } from "./asx-eod-stack.ts";
import { buildBundles } from "./bundles.ts";
import { readConfig } from "./config.ts";

/** A synthesised deployment. */
export interface Synthesised {
  readonly stage: string;
  /** Folder of the synthesised stacks, each in `stacks/NAME`. */
  readonly folder: string;
}

/**
 * Checks the configuration, bundles the Lambdas as their sources are now, and writes the stack as
 * Terraform JSON. Needs no credentials. The same sources and configuration give the same bytes.
 * @param folder default: that of the CDKTF CLI that runs this, else `cdktf.out`.
 * @throws InvalidInputError for a bad configuration, before anything is written.
 */
export async function synthesise(
  environment: Readonly<Record<string, string | undefined>>,
  folder?: string,
): Promise<Synthesised> {
  const config = readConfig(environment);
  const bundles = await buildBundles();
  const app = new App(folder === undefined ? {} : { outdir: folder });
  new AsxEodStack(app, config, bundles);
  app.synth();
  return { stage: config.stage, folder: app.outdir };
}
