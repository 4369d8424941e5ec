/** Texts in CSV files that a spreadsheet must not run. */

/**
 * What a spreadsheet takes for a formula, or what moves into the next cell or line: = + - @ in both widths, also behind
 * characters that are not seen, and control characters. With apostrophes before it, it is marked already or looks so.
 */
const FORMULA = /^'*(?:[\p{Cc}\p{Cf}\p{Z}]*[=+\-@＝＋－＠]|\p{Cc})/u;

/** The text of a cell: what could be a formula, or be mistaken for a marked one, has an apostrophe more. */
export function markFormula(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text;
}

/** What was marked. Inverse of {@link markFormula}. */
export function unmarkFormula(cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell;
}
