import { InvalidInputError } from "../domain/errors.ts";
import { quote } from "../domain/text.ts";

/** A text as SQL writes it. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * The table of Parquet files, as SQL writes it. The engine would read paths as patterns, and folders named `column=value`
 * as a column that counts more than the file's own: here a path is that one file, whatever its folders are called.
 * @param options further options of `read_parquet`.
 * @throws InvalidInputError for a path that the engine has no way to write.
 */
export function parquetFiles(paths: readonly string[], options: readonly string[] = []): string {
  return `read_parquet(${[pathList(paths), "hive_partitioning = false", ...options].join(", ")})`;
}

/** Paths as a list, for a function that reads files; none is a pattern. @throws as {@link parquetFiles}. */
export function pathList(paths: readonly string[]): string {
  return `[${paths.map((path) => sqlText(literalPath(path))).join(", ")}]`;
}

/** A class of one character stands for that character: the engine has no other way to say that it is not a pattern. */
function literalPath(path: string): string {
  if (!/[*?[]/.test(path)) return path;
  if (path.includes("\\") && process.platform !== "win32") {
    throw new InvalidInputError(
      `the engine cannot read ${quote(path)}: a path may have a backslash or one of * ? [, not both; rename the folder`,
    );
  }
  return path.replace(/[*?[]/g, "[$&]");
}
