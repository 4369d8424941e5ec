import { counted } from "./numbers.ts";

const PARAMETERS = /\bthe query has (\d+) parameters?, and (\d+) values? (?:was|were) given$/;

/** A message of the library in the terms of the command line: what is an option there has another name in a shell. */
export function inCommandTerms(message: string): string {
  return message
    .replace('leave them out with onBadFile "skip"', "leave them out with --skip-bad-files")
    .replace("name another folder as cacheDir", "name another folder with --cache-dir")
    .replace(PARAMETERS, (_, parameters: string, values: string) => {
      const given = `${counted(Number(values), "value")} ${values === "1" ? "was" : "were"} given`;
      return `the query has ${counted(Number(parameters), "parameter")}, and ${given}; --param gives one each`;
    });
}
