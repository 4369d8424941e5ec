/** The CDKTF app: `npm run synth`, and what `cdktf` and `cdktn` run by `cdktf.json`. */
import { InvalidInputError } from "../domain/errors.ts";
import { runScript } from "./script.ts";
import { synthesise } from "./synthesise.ts";

await runScript("synth", async ([unknown]) => {
  if (unknown !== undefined) {
    throw new InvalidInputError(
      `${unknown} is no option; settings are ASX_EOD_* variables or in stacks/stages/STAGE.json`,
    );
  }
  const { remarks } = await synthesise(process.env);
  process.stdout.write(`${remarks.join("\n")}\n`);
});
