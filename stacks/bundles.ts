/** Makes of each Lambda one archive that needs nothing beside it. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { type Zippable, zipSync } from "fflate";
import { sha256Base64 } from "../stores/sha256.ts";

/** The Lambdas, by the names of their folders. */
export const LAMBDAS = ["symbol-updater", "batch-fetcher", "run-summary"] as const;

/** The name of a Lambda. */
export type LambdaName = (typeof LAMBDAS)[number];

/** What Lambda calls: the export `handler` of the bundle. */
export const LAMBDA_HANDLER = "index.handler";

/** A built Lambda. */
export interface Bundle {
  readonly name: LambdaName;
  /** Absolute path of the archive to upload: the bundle and its source map. */
  readonly archive: string;
  /** SHA-256 of the archive in base64, as Lambda reports it of uploaded code. */
  readonly sha256: string;
  /** Size of the bundle in bytes. */
  readonly bundleBytes: number;
  /** Size of the archive in bytes. */
  readonly archiveBytes: number;
}

/** Where `npm run build` leaves the bundles. */
export const BUNDLES_FOLDER = fileURLToPath(new URL("../dist/lambdas", import.meta.url));

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** CommonJS packages in a bundle call `require` for Node's own modules, and an ES module has none. */
const REQUIRE = 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);';

/** Entries of an archive carry a time; one that never changes keeps the archive of the same code the same. */
const ARCHIVE_TIME = "1980-01-01T00:00:00";

/**
 * Bundles every Lambda into `FOLDER/NAME/index.mjs` with a source map beside it, and both into
 * `FOLDER/NAME.zip`. The same sources give the same bytes, whenever and wherever they are built.
 * @throws Error with esbuild's message where a source does not compile.
 */
export async function buildBundles(folder: string = BUNDLES_FOLDER): Promise<Bundle[]> {
  await rm(folder, { recursive: true, force: true });
  return Promise.all(LAMBDAS.map((name) => buildBundle(name, folder)));
}

async function buildBundle(name: LambdaName, folder: string): Promise<Bundle> {
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: [`lambdas/${name}/handler.ts`],
    // Never written there: the source map's paths are taken from it, and must not depend on the folder.
    outfile: `dist/lambdas/${name}/index.mjs`,
    bundle: true,
    minify: true,
    sourcemap: "linked",
    sourcesContent: false,
    format: "esm",
    platform: "node",
    target: "node24",
    mainFields: ["module", "main"],
    banner: { js: REQUIRE },
    plugins: [strictThriftTypes],
    logLevel: "silent",
    write: false,
  });
  const files = new Map(result.outputFiles.map(({ path, contents }) => [basename(path), contents]));
  const entries: Zippable = {};
  await mkdir(join(folder, name), { recursive: true });
  for (const [file, contents] of [...files].sort(([left], [right]) => (left < right ? -1 : 1))) {
    await writeFile(join(folder, name, file), contents);
    // 0o644: readable by whatever user the function runs as.
    entries[file] = [contents, { attrs: 0o100644 << 16, os: 3 }];
  }
  const archived = zipSync(entries, { level: 9, mtime: ARCHIVE_TIME });
  const archive = join(folder, `${name}.zip`);
  await writeFile(archive, archived);
  return {
    name,
    archive,
    sha256: sha256Base64(archived),
    bundleBytes: files.get("index.mjs")?.length ?? 0,
    archiveBytes: archived.length,
  };
}

/** parquetjs-lite's generated types assign to names they never declare, which an ES module refuses: they are declared. */
const strictThriftTypes: Plugin = {
  name: "strict-thrift-types",
  setup({ onLoad }) {
    onLoad({ filter: /parquetjs-lite[\\/]gen-nodejs[\\/]parquet_types\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      return { contents: source.replaceAll(/^(\w+) = module\.exports\./gm, "var $1 = module.exports."), loader: "js" };
    });
  },
};
