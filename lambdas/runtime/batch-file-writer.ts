import type { Bar } from "../../domain/bar.ts";
import { DIGEST_METADATA_KEY, OUTCOMES_METADATA_KEY, SOURCE_METADATA_KEY } from "../../domain/bar-columns.ts";
import type { SymbolReport } from "../../domain/batch.ts";
import { compareSymbols } from "../../domain/symbol.ts";
import { batchDigest } from "../../stores/batch-digest.ts";
import type { BatchContents } from "../../stores/batch-file-reader.ts";
import { encodeBars } from "./bars-parquet.ts";

/** More rows than a batch of one date can have. */
const ALL_ROWS = 1_000_000;

/**
 * Encodes a batch file: the bars sorted by symbol, Snappy, one row group; in the file's metadata the
 * outcomes of the symbols without a bar, and the file's seal. The same contents give the same bytes.
 */
export function encodeBatchFile(contents: BatchContents): Promise<Uint8Array> {
  const [bars, reports] = [sorted(contents.bars), sorted(contents.reports)];
  const { source } = contents;
  return encodeBars(bars, {
    metadata: {
      [OUTCOMES_METADATA_KEY]: JSON.stringify(reports),
      ...(source !== undefined && { [SOURCE_METADATA_KEY]: source }),
      [DIGEST_METADATA_KEY]: batchDigest({ bars, reports, source }),
    },
    rowGroupRows: ALL_ROWS,
  });
}

function sorted<Entry extends Bar | SymbolReport>(entries: readonly Entry[]): Entry[] {
  return entries.toSorted((left, right) => compareSymbols(left.symbol, right.symbol));
}
