import { parquetMetadata, parquetReadObjects } from "hyparquet";
import * as z from "zod";
import { type HistoryReport, historyReport } from "../domain/backfill.ts";
import { OUTCOMES_METADATA_KEY, SOURCE_METADATA_KEY } from "../domain/bar-columns.ts";
import { messageOf, StoredFileError } from "../domain/errors.ts";
import { parseHistoryKey } from "../domain/object-keys.ts";
import { fromEpochDays } from "../domain/trading-date.ts";
import { checkSeal } from "./file-seal.ts";
import { checkFrame } from "./parquet-frame.ts";

/** What a file of a backfill says without its prices. */
export interface HistoryFacts {
  readonly reports: readonly HistoryReport[];
  /** The name of the price source. */
  readonly source: string;
  readonly rows: number;
  /** Bars by date. */
  readonly days: ReadonlyMap<string, number>;
}

const DAY_MS = 86_400_000;
const dateRows = z.array(z.object({ date: z.date() }));

/**
 * Reads what a file of a backfill says of its symbols and dates, after its seal was found intact.
 * @throws StoredFileError that names the key, for anything that is not such a file.
 */
export async function readHistoryFacts(key: string, bytes: Uint8Array): Promise<HistoryFacts> {
  try {
    const { span, file, metadata, entries } = openSealed(key, bytes);
    const rows = Number(metadata.num_rows);
    const dated = rows === 0 ? [] : await parquetReadObjects({ file, metadata, columns: ["date"] });
    const days = new Map<string, number>();
    for (const { date } of dateRows.parse(dated)) {
      const day = fromEpochDays(date.getTime() / DAY_MS);
      days.set(day, (days.get(day) ?? 0) + 1);
    }
    const outside = [...days.keys()].find((day) => day < span.from || day > span.to);
    if (outside !== undefined) throw new Error(`it has bars of ${outside}, outside its dates`);
    return {
      reports: z.array(historyReport).parse(JSON.parse(entries.get(OUTCOMES_METADATA_KEY) ?? "")),
      source: z.string().parse(entries.get(SOURCE_METADATA_KEY)),
      rows,
      days,
    };
  } catch (cause) {
    throw damaged(key, cause);
  }
}

/**
 * The name of the price source of a file of a backfill, without a look at its rows.
 * @throws StoredFileError that names the key, for anything that is not such a file.
 */
export function readHistorySource(key: string, bytes: Uint8Array): string {
  try {
    return z.string().parse(openSealed(key, bytes).entries.get(SOURCE_METADATA_KEY));
  } catch (cause) {
    throw damaged(key, cause);
  }
}

/** Nothing in a file is trusted before its seal was found intact. */
function openSealed(key: string, bytes: Uint8Array) {
  const span = parseHistoryKey(key);
  if (span === undefined) throw new Error("its key is none of a backfill");
  checkFrame(bytes);
  if (checkSeal(bytes) !== "intact") throw new Error("its bytes are not those it was written with");
  const file = new Uint8Array(bytes).buffer;
  const metadata = parquetMetadata(file);
  const entries = new Map(metadata.key_value_metadata?.map(({ key: name, value = "" }) => [name, value]));
  return { span, file, metadata, entries };
}

function damaged(key: string, cause: unknown): StoredFileError {
  return new StoredFileError(
    `${key} is damaged or no file of a backfill: ${messageOf(cause)}; restore it, or delete it with the backfill's record and run the backfill again`,
    { cause },
  );
}
