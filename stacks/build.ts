/** `npm run build`: bundles the Lambdas and says how big they are. */
import { relative } from "node:path";
import { buildBundles } from "./bundles.ts";
import { runScript } from "./script.ts";

await runScript("build", async () => {
  for (const { name, archive, bundleBytes, archiveBytes } of await buildBundles()) {
    const sizes = `${kilobytes(bundleBytes)} minified, ${kilobytes(archiveBytes)} zipped with its source map`;
    process.stdout.write(`${name.padEnd(16)} ${sizes}: ${relative(process.cwd(), archive)}\n`);
  }
});

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(0)} kB`;
}
