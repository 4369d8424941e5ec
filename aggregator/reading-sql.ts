/** Words that a statement begins with that gives rows and changes nothing. */
const READING: ReadonlySet<string> = new Set(
  "select with from values table describe desc summarize show pivot unpivot".split(" "),
);

/**
 * Whether a statement begins as one that reads. The engine tells the kind of a statement only once it has prepared it, and
 * some do their work by then: EXPORT makes its folder. `EXPLAIN ANALYZE` runs what it explains, so that is what counts.
 * It does not show that the statement is right, nor that nothing follows it.
 */
export function beginsReading(sql: string): boolean {
  const text = withoutLead(sql, /^[\s(]+/);
  const word = /^[a-z]+/i.exec(text)?.[0].toLowerCase() ?? "";
  return word === "explain" ? beginsReading(explained(text.slice(word.length))) : READING.has(word);
}

/** Functions that do something else than read, though a SELECT calls them: some write files. `query` runs the text it is given. */
const DOING =
  /\b(?:(?:en|dis)able_(?:logging|profiling|peg_parser)|(?:force_)?checkpoint|truncate_duckdb_logs|json_execute_serialized_sql|query(?:_table)?)"?(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*\(/i;

/** The function in a statement that does more than read, where there is one. */
export function doingFunction(sql: string): string | undefined {
  return DOING.exec(sql)?.[0].replace(/"?[\s(][\s\S]*$|\(/, "");
}

/** What follows EXPLAIN and how it explains: `ANALYZE`, or options in parentheses. */
function explained(rest: string): string {
  const text = withoutLead(rest, /^\s+/);
  const how = /^analy[sz]e\b/i.exec(text) ?? /^\((?!\s*(?:select|with|from|values)\b)[^()]*\)/i.exec(text);
  return how === null ? text : text.slice(how[0].length);
}

/** The text less what the pattern finds at its beginning, and less comments there: those of the second form may be nested. */
function withoutLead(sql: string, pattern: RegExp): string {
  let text = sql;
  for (;;) {
    const before = text;
    text = text.replace(pattern, "").replace(/^--[^\n\r]*/, "");
    if (text.startsWith("/*")) text = text.slice(commentLength(text));
    if (text === before) return text;
  }
}

function commentLength(text: string): number {
  let depth = 0;
  for (const { 0: mark, index } of text.matchAll(/\/\*|\*\//g)) {
    depth += mark === "/*" ? 1 : -1;
    if (depth === 0) return index + mark.length;
  }
  return text.length;
}
