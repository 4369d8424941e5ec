/** An element of an SVG document, in the order of their beginnings. */
export interface SvgElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** The text directly in it. */
  text: string;
}

const TOKEN = /<\/([\w:-]+)\s*>|<([\w:-]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|<!\[CDATA\[([\s\S]*?)\]\]>|([^<]+)/y;

/**
 * The elements of an SVG document.
 * @throws Error that says where it is not well-formed.
 */
export function svgElements(document: string): SvgElement[] {
  const elements: SvgElement[] = [];
  const open: SvgElement[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < document.length) {
    const at = TOKEN.lastIndex;
    const [token, closing, name, attributes = "", isEmpty, data, text] = TOKEN.exec(document) ?? [];
    const isStray = (text ?? attributes).replaceAll(/&(?:amp|lt|gt|quot|apos|#\d+|#x[\da-f]+);/gi, "").includes("&");
    if (token === undefined || isStray) throw new Error(`not well-formed from ${document.slice(at, at + 80)}`);
    if (closing !== undefined) {
      if (open.pop()?.name !== closing) throw new Error(`</${closing}> closes what is not open`);
    } else if (name !== undefined) {
      if (open.length === 0 && elements.length > 0) throw new Error(`<${name}> is a second root`);
      const pairs = Array.from(attributes.matchAll(/([\w:-]+)="([^"]*)"/g), ([, key = "", value = ""]) => [key, value]);
      const element = { name, attributes: Object.fromEntries(pairs), text: "" };
      if (Object.keys(element.attributes).length < pairs.length) throw new Error(`<${name}> has an attribute twice`);
      elements.push(element);
      if (isEmpty === "") open.push(element);
    } else {
      const parent = open.at(-1);
      if (parent !== undefined) parent.text += data ?? text ?? "";
      else if ((text ?? "x").trim() !== "") throw new Error("there is text outside of the root");
    }
  }
  if (open.length > 0) throw new Error(`<${open.at(-1)?.name}> is not closed`);
  return elements;
}

/** The marks of a chart's series, such as its candles: the elements that stand for a value each, in order. */
export function marksOf(elements: readonly SvgElement[], series: number): SvgElement[] {
  return elements
    .filter(({ attributes }) => attributes["ecmeta_series_index"] === String(series))
    .sort((one, other) => indexOf(one) - indexOf(other));
}

function indexOf({ attributes }: SvgElement): number {
  return Number(attributes["ecmeta_data_index"]);
}
