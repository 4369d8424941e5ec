import { createWriteStream, existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { extname } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { Command, Option } from "commander";
import type { Aggregator, Table } from "../aggregator/index.ts";
import { writeOutputFile } from "../aggregator/output-file.ts";
import { InvalidInputError, QueryFailedError } from "../domain/errors.ts";
import { quote } from "../domain/text.ts";
import { moreTextArgument, pathArgument, wholeNumberArgument } from "./arguments.ts";
import { ROWS_SHOWN } from "./column-table.ts";
import { size, whole } from "./numbers.ts";
import { type LibraryOptions, libraryOptions, withAggregator } from "./open-aggregator.ts";
import { jsonPieces, printTable, writePieces } from "./table-output.ts";
import { type Terminal, writeLine } from "./terminal.ts";

const FORMATS = ["table", "csv", "json", "parquet"] as const;
type Format = (typeof FORMATS)[number];

interface QueryOptions extends LibraryOptions {
  readonly param?: string[];
  readonly format?: Format;
  readonly out?: string;
  readonly force?: boolean;
  readonly limit?: number;
}

const HELP = `
Tables:
  bars     symbol, date, open, high, low, close, adjusted_close, volume, dividend, split_ratio,
           fetch_timestamp, batch_number: every bar once
  runs     date, status, started_at, finished_at, listed, rows, fetched, no_trade, not_found, invalid,
           failed, deferred, unfinished: a row a date that has a run
  symbols  symbol, name, industry_group, listing_date, market_cap: the newest list
  calendar         date, week_end, month_end: every trading day from the first stored to the last
  actions          symbol, ex_date, kind, value, first_seen, last_confirmed, superseded_at
  not_adjusted     symbol, ex_date, why: dividends that prices cannot be adjusted for
  listings         symbol, listing, name, industry_group, listing_date, first_seen, last_seen, is_listed,
                   first_bar, last_final: every company under each code that it had
  listing_changes  date, kind, symbol, listing, name, previous

Macros, of a kind 'none', 'splits' or 'all': adjusted_bars(kind) (the columns of bars), weekly_bars(kind),
monthly_bars(kind) (and sessions), returns(kind) (symbol, date, simple_return, total_return).

The language is DuckDB's. It reads; nothing in the store can be changed. A value of --param is a text,
which becomes a number or a date where it is compared with one; elsewhere write $1::DOUBLE.

Examples:
  asx query "select symbol, max(close) from bars where date >= '2024-01-01' group by 1"
  asx query "from bars where symbol = \\$1 order by date" --param BHP --format csv > bhp.csv
  asx query "from bars" --out bars.parquet
  asx query "from monthly_bars('splits') where symbol = 'BHP' order by date"
  asx query - < report.sql

Exit codes: 0 printed or written, 1 the query failed while it ran (such as text that is no date) or a file is
damaged, 64 bad usage or SQL that is wrong as it stands, 130 interrupted.`;

/** `asx query`: SQL over what is stored. */
export function queryCommand(terminal: Terminal): Command {
  const command = new Command("query")
    .summary("ask in SQL")
    .description("Prints what a query in SQL gives, or writes it to a file.")
    .argument("<sql>", "one statement that reads; - takes it from standard input")
    .option("--param <value>", "value for $1, the next for $2 and so on; may be given several times", moreTextArgument)
    .addOption(new Option("--format <format>", "default: as the name of --out ends, else table").choices(FORMATS))
    .option("--out <file>", "write to this file, whole or not at all", pathArgument)
    .option("--force", "replace the file of --out where it is there already")
    .option(
      "--limit <n>",
      `print at most so many rows (default: ${ROWS_SHOWN} as a table, else all)`,
      wholeNumberArgument(1, 100_000),
    );
  return libraryOptions(command)
    .addHelpText("after", HELP)
    .action((sql: string, options: QueryOptions) => query(sql, options, terminal));
}

async function query(argument: string, options: QueryOptions, terminal: Terminal): Promise<void> {
  const format = formatOf(options);
  const sql = argument === "-" ? await text(terminal.stdin) : argument;
  if (sql.trim() === "") throw new InvalidInputError("the query is empty; --help has examples");
  const { out, limit, param = [] } = options;
  await withAggregator(
    options,
    terminal,
    async (aggregator) => {
      if (out !== undefined) {
        const writing = write(aggregator, { sql, param, out, format, overwrite: options.force === true });
        const { rows } = await writing.catch(refuseWrongSql);
        writeLine(terminal.stdout, `${out}: ${whole(rows)} rows, ${size((await stat(out)).size)}`);
        return;
      }
      const table = await aggregator.sql(sql, param).catch(refuseWrongSql);
      if (isNothing(table) && (await aggregator.latestDate()) === null)
        writeLine(terminal.stderr, `asx: ${options.store} holds no bars; is it the right store?`);
      if (format === "table") {
        const rest = { noun: "rows", remedy: "name fewer, or --format csv" };
        printTable(table, { rows: limit ?? ROWS_SHOWN, width: terminal.width, ...rest }, terminal);
      } else await writePieces(terminal.stdout, piecesOf(table.slice(0, limit), format));
    },
    out === undefined ? "interrupted" : `interrupted; ${out} was not written`,
  );
}

/**
 * Some of what is wrong with a query shows only when it has its values: that is no failure of what runs either.
 * @throws InvalidInputError for it, else the error itself.
 */
function refuseWrongSql(error: unknown): never {
  const isWrong = error instanceof QueryFailedError && /^(?:Binder|Catalog|Parser) Error\b/.test(error.message);
  throw isWrong ? new InvalidInputError(error.message, { cause: error }) : error;
}

/** Whether a result is that of a store without bars: such as no row, or a count of 0. */
function isNothing(table: Table): boolean {
  return (
    table.length <= 1 &&
    table.toRows().every((row) => Object.values(row).every((value) => value === null || value === 0))
  );
}

interface Written {
  readonly sql: string;
  readonly param: readonly string[];
  readonly out: string;
  readonly format: Format;
  readonly overwrite: boolean;
}

async function write(
  aggregator: Aggregator,
  { sql, param, out, format, overwrite }: Written,
): Promise<{ readonly rows: number }> {
  if (!overwrite && existsSync(out)) throw new InvalidInputError(`${quote(out)} is there already; --force replaces it`);
  if (format === "parquet") return aggregator.exportParquet(sql, param, out, { overwrite });
  return writeOutputFile(out, { overwrite }, async (temporaryPath) => {
    const table = await aggregator.sql(sql, param);
    await pipeline(Readable.from(piecesOf(table, format)), createWriteStream(temporaryPath));
    return { rows: table.length };
  });
}

function piecesOf(table: Table, format: Format): Iterable<string> {
  return format === "csv" ? table.toCSVPieces() : jsonPieces(table);
}

/** @throws InvalidInputError where the options do not go together. */
function formatOf({ format, out, force, limit }: QueryOptions): Format {
  if (out === undefined) {
    if (force === true) throw new InvalidInputError("--force is for a file: name it with --out");
    if (format === "parquet") throw new InvalidInputError("--format parquet needs a file: name it with --out");
    return format ?? "table";
  }
  if (limit !== undefined) throw new InvalidInputError("--limit is for what is printed; write LIMIT into the query");
  const ending = extname(out).slice(1).toLowerCase();
  const chosen = format ?? FORMATS.find((known) => known === ending);
  if (chosen === undefined || chosen === "table")
    throw new InvalidInputError("say how the file of --out is written: --format csv, json or parquet");
  return chosen;
}
