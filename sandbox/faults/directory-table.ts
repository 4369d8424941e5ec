/** The file of the directory, taken apart so that a fault can change it, and put together again. */
import { parse } from "csv-parse/sync";
import type { SandboxAnswer } from "../yahoo-answers.ts";
import { bytesOf, type FaultContext, type MakeFault } from "./fault.ts";

/** The columns that faults know, by how their headers begin, in lower case. */
const HEADERS = {
  code: "asx code",
  name: "company name",
  industry: "gics",
  listed: "listing date",
  marketCap: "market cap",
} as const;
type Column = keyof typeof HEADERS;
const COLUMNS = ["code", "name", "industry", "listed", "marketCap"] as const satisfies readonly Column[];

/** The lines of a directory below its title. */
export interface DirectoryTable {
  /** What stands above the header. */
  readonly title: string;
  readonly header: readonly string[];
  readonly lines: readonly (readonly string[])[];
}

/** A fault that changes the text of a directory. */
export function inText(change: (text: string) => string): MakeFault {
  return (answer) =>
    answer.status === 200 ? withText(answer, change(new TextDecoder().decode(bytesOf(answer)))) : answer;
}

/** A fault that changes the lines of a directory. An answer that holds none is left as it is. */
export function inTable(change: (table: DirectoryTable, context: FaultContext) => DirectoryTable): MakeFault {
  return (answer, context) => {
    const table = readTable(answer);
    return table === undefined ? answer : withText(answer, format(change(table, context)));
  };
}

/** A fault that changes values in one of the lines, whichever chance says. */
export function inOneLine(change: (context: FaultContext) => Partial<Record<Column, string>>): MakeFault {
  return inTable((table, context) => {
    const chosen = Math.floor(context.chance(0) * table.lines.length);
    const values = change(context);
    return {
      ...table,
      lines: table.lines.map((line, index) => (index === chosen ? withValues(table, line, values) : line)),
    };
  });
}

/** A fault that changes one column in every line. */
export function inColumn(column: Column, change: (value: string, index: number) => string): MakeFault {
  return inTable((table) => {
    const at = columnAt(table, column);
    const lines = table.lines.map((line, index) =>
      withValues(table, line, { [column]: change(line[at] ?? "", index) }),
    );
    return { ...table, lines };
  });
}

/** A fault that adds a company for each of the codes that are not listed. */
export function withCodes(codes: readonly string[]): MakeFault {
  return inTable((table) => {
    const at = columnAt(table, "code");
    const listed = new Set(table.lines.map((line) => line[at]));
    const blank = table.header.map(() => "");
    const added = codes
      .filter((code) => !listed.has(code))
      .map((code) => withValues(table, blank, { code, name: `${code} LIMITED`, industry: "Not Applic" }));
    return { ...table, lines: [...table.lines, ...added] };
  });
}

function withValues(
  table: DirectoryTable,
  line: readonly string[],
  values: Partial<Record<Column, string>>,
): readonly string[] {
  const byColumn = new Map<number, string>();
  for (const column of COLUMNS) {
    const value = values[column];
    if (value !== undefined) byColumn.set(columnAt(table, column), value);
  }
  return line.map((value, index) => byColumn.get(index) ?? value);
}

/** Where a column stands; -1 where there is none. */
function columnAt({ header }: DirectoryTable, column: Column): number {
  return header.findIndex((name) => name.toLowerCase().startsWith(HEADERS[column]));
}

function readTable(answer: SandboxAnswer): DirectoryTable | undefined {
  if (answer.status !== 200) return undefined;
  const text = new TextDecoder().decode(bytesOf(answer));
  const begin = /^.*asx code.*$/im.exec(text)?.index;
  if (begin === undefined) return undefined;
  const options = { bom: true, relax_column_count: true, relax_quotes: true, skip_empty_lines: true };
  const [header = [], ...lines] = parse(text.slice(begin), options);
  return { title: text.slice(0, begin), header, lines };
}

function format({ title, header, lines }: DirectoryTable): string {
  return title + [header, ...lines].map((line) => line.map(quoted).join(",")).join("\n");
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

function withText(answer: SandboxAnswer, text: string): SandboxAnswer {
  return { ...answer, body: new TextEncoder().encode(text) };
}
