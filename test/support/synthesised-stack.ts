import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "cdktf";
import * as z from "zod";
import { AsxEodStack, stackName } from "../../stacks/asx-eod-stack.ts";
import { type Bundle, LAMBDAS } from "../../stacks/bundles.ts";
import { readConfig } from "../../stacks/config.ts";

const resource = z.looseObject({ "//": z.object({ metadata: z.object({ path: z.string() }) }) });
const synthesised = z.object({
  terraform: z.record(z.string(), z.unknown()),
  provider: z.object({ aws: z.array(z.object({ region: z.string() })) }),
  resource: z.record(z.string(), z.record(z.string(), resource)),
  output: z.record(z.string(), z.object({ value: z.string(), description: z.string() })),
});

/** A resource of a synthesised stack, its references readable: `<aws_s3_bucket data/bucket arn>`. */
export type Resource = Readonly<Record<string, unknown>>;

/** A synthesised stack as a test asks it. */
export interface SynthesisedStack {
  /** The text as it was written. */
  readonly text: string;
  readonly terraform: Readonly<Record<string, unknown>>;
  readonly region: string;
  readonly outputs: Readonly<Record<string, string>>;
  /** Every resource by its type and its path in the stack. */
  readonly resources: readonly { readonly type: string; readonly path: string; readonly body: Resource }[];
  /** The resource of a type at a path. Throws where there is none. */
  one(type: string, path: string): Resource;
  /** Every resource of a type by its path. */
  all(type: string): Readonly<Record<string, Resource>>;
}

const REFERENCE = /\$\{(\w+)\.([\w-]+)\.(\w+)\}/g;
const DATA_REFERENCE = /\$\{data\.(\w+)\.[\w-]+\.(\w+)\}/g;

/** Synthesises the stack of a configuration, given as environment variables, with archives that hold nothing. */
export function synthesiseStack(environment: Readonly<Record<string, string>> = {}): SynthesisedStack {
  const folder = mkdtempSync(join(tmpdir(), "asx-eod-synth-"));
  try {
    const config = readConfig(environment, join(folder, "no-stages"));
    const app = new App({ outdir: join(folder, "out") });
    new AsxEodStack(app, config, emptyBundles(folder));
    app.synth();
    return readStack(
      readFileSync(join(folder, "out", "stacks", stackName(config.stage), "cdk.tf.json"), "utf8"),
      config.stage,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function emptyBundles(folder: string): Bundle[] {
  return LAMBDAS.map((name) => {
    const archive = join(folder, `${name}.zip`);
    writeFileSync(archive, "");
    return { name, archive, sha256: "c2hhMjU2", bundleBytes: 0, archiveBytes: 0 };
  });
}

function readStack(text: string, stage: string): SynthesisedStack {
  const parsed = synthesised.parse(JSON.parse(text));
  const paths = new Map<string, string>();
  for (const [type, named] of Object.entries(parsed.resource)) {
    for (const [id, body] of Object.entries(named)) {
      paths.set(`${type}.${id}`, body["//"].metadata.path.slice(stackName(stage).length + 1));
    }
  }
  const readable = (value: string): string =>
    value
      .replaceAll(DATA_REFERENCE, (_, _type: string, attribute: string) => `<${attribute}>`)
      .replaceAll(REFERENCE, (whole, type: string, id: string, attribute: string) => {
        const path = paths.get(`${type}.${id}`);
        if (path === undefined) throw new Error(`${whole} refers to no resource`);
        return `<${type} ${path} ${attribute}>`;
      });
  const resources = Object.entries(parsed.resource).flatMap(([type, named]) =>
    Object.entries(named).map(([id, body]) => ({
      type,
      path: paths.get(`${type}.${id}`) ?? "",
      body: resource.parse(
        JSON.parse(JSON.stringify(body), (_, value: unknown) => (typeof value === "string" ? readable(value) : value)),
      ),
    })),
  );
  const all = (type: string): Record<string, Resource> =>
    Object.fromEntries(resources.filter((found) => found.type === type).map(({ path, body }) => [path, body]));
  return {
    text,
    terraform: parsed.terraform,
    region: parsed.provider.aws[0]?.region ?? "",
    outputs: Object.fromEntries(Object.entries(parsed.output).map(([name, { value }]) => [name, readable(value)])),
    resources,
    all,
    one(type, path) {
      const found = all(type)[path];
      if (found === undefined) throw new Error(`no ${type} at ${path}; there are ${Object.keys(all(type)).join(", ")}`);
      return found;
    },
  };
}
