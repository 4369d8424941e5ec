import type { Column } from "./column.ts";

/** A column of texts; each is kept once. */
export function textColumn(texts: readonly (string | null)[]): Column {
  const dictionary: string[] = [];
  const codeOf = new Map<string, number>();
  const codes = Int32Array.from(texts, (text) => {
    if (text === null) return -1;
    let code = codeOf.get(text);
    if (code === undefined) {
      code = dictionary.push(text) - 1;
      codeOf.set(text, code);
    }
    return code;
  });
  return { kind: "text", codes, dictionary };
}

/** A column of numbers. */
export function numberColumn(numbers: readonly (number | null)[]): Column {
  const values = Float64Array.from(numbers, (number) => number ?? Number.NaN);
  if (!numbers.includes(null)) return { kind: "number", values };
  return { kind: "number", values, nulls: Uint8Array.from(numbers, (number) => (number === null ? 1 : 0)) };
}
