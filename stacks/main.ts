/** The CDKTF app: `npm run synth`, and what `cdktf` and `cdktn` run by `cdktf.json`. */

import { EXIT_CODES } from "../cli/exit-codes.ts";
import { InvalidInputError, messageOf } from "../domain/errors.ts";
import { synthesise } from "./synthesise.ts";

try {
  const { stage, folder } = await synthesise(process.env);
  process.stdout.write(`stage ${stage}: ${folder}/stacks/asx-eod-${stage}/cdk.tf.json\n`);
} catch (error) {
  process.stderr.write(`synth: ${messageOf(error)}\n`);
  process.exitCode = error instanceof InvalidInputError ? EXIT_CODES.usage : EXIT_CODES.failed;
}
