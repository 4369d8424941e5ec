/** Names of companies as the directory writes them, and whether two of them are of one company. */

/** Words that say what kind of body a company is. They come and go, and are written in several ways. */
const LEGAL_FORMS: ReadonlySet<string> = new Set([
  ...["LIMITED", "LTD", "PTY", "PROPRIETARY", "NL", "INC", "INCORPORATED", "CORP", "CORPORATION", "CO", "COMPANY"],
  ...["PLC", "AG", "SE", "SA", "SAU", "NV", "BV", "SPA", "AS", "ASA", "AB", "LLC", "LP", "THE"],
]);

/** Words that so many names have that sharing one says nothing. */
const COMMON_WORDS: ReadonlySet<string> = new Set([
  ...["RESOURCES", "RESOURCE", "MINERALS", "MINERAL", "METALS", "METAL", "MINING", "MINES", "EXPLORATION", "GOLD"],
  ...["SILVER", "COPPER", "NICKEL", "LITHIUM", "URANIUM", "IRON", "COAL", "GRAPHITE", "POTASH", "RARE", "EARTHS"],
  ...["OIL", "GAS", "PETROLEUM", "ENERGY", "POWER", "SOLAR", "GROUP", "HOLDINGS", "HOLDING", "INTERNATIONAL"],
  ...["GLOBAL", "AUSTRALIA", "AUSTRALIAN", "AUSTRALASIA", "PACIFIC", "ASIA", "ASIAN", "AMERICAN", "CAPITAL"],
  ...["INVESTMENT", "INVESTMENTS", "INVESTOR", "FUND", "FUNDS", "TRUST", "ETF", "REIT", "INCOME", "GROWTH", "EQUITY"],
  ...["FINANCIAL", "FINANCE", "BANK", "BANKING", "INSURANCE", "PROPERTY", "PROPERTIES", "TECHNOLOGY", "TECHNOLOGIES"],
  ...["SYSTEMS", "SOLUTIONS", "SERVICES", "SOFTWARE", "DIGITAL", "NETWORKS", "MEDIA", "ENTERTAINMENT", "GAMING"],
  ...["HEALTH", "HEALTHCARE", "MEDICAL", "PHARMACEUTICALS", "PHARMA", "THERAPEUTICS", "BIOTECH", "BIOSCIENCES"],
  ...["SCIENCE", "SCIENCES", "INDUSTRIES", "INDUSTRIAL", "ENTERPRISES", "VENTURES", "PARTNERS", "MANAGEMENT"],
  ...["CRITICAL", "BATTERY", "MATERIALS", "AND", "OF", "FOR", "NEW", "FIRST", "WESTERN", "EASTERN", "NORTHERN"],
  ...["SOUTHERN", "CENTRAL", "WEST", "EAST", "NORTH", "SOUTH"],
]);

/** From this share of pairs of letters in common on, the words that few names have count as alike: `BALKAN` and `BAYAN`. */
const ALIKE_SHARE = 0.4;
/** A shorter word can begin another by chance. */
const SHORTEST_BEGINNING = 3;

/**
 * A name without what is written now one way, now another: case, accents, punctuation and the legal form, so that
 * `SOLIS MINERALS LTD.` and `Solis Minerals Limited` are one. Empty for an empty name alone.
 */
export function normaliseName(name: string): string {
  const plain = name
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .toUpperCase()
    .replaceAll("&", " AND ")
    .replaceAll(/[.'’]/g, "")
    .replaceAll(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
  const words = plain.split(" ").filter((word) => !LEGAL_FORMS.has(word));
  return words.join(" ") || plain || name.trim();
}

/**
 * Whether two names can be of one company that took another name: after {@link normaliseName} they are equal, share a word
 * that few names have, the first word of one begins that of the other, or four in ten pairs of neighbouring letters of such
 * words are the same.
 */
export function isAlike(left: string, right: string): boolean {
  const [one, other] = [normaliseName(left), normaliseName(right)];
  if (one === other) return true;
  const [words, otherWords] = [distinctWords(one), distinctWords(other)];
  if (otherWords.some((word) => words.includes(word))) return true;
  const [first = "", second = ""] = [one.split(" ")[0], other.split(" ")[0]];
  return (
    begins(first, second) || begins(second, first) || sharedPairs(words.join(" "), otherWords.join(" ")) >= ALIKE_SHARE
  );
}

/** Whether a code is a word of a name: `GCM` of `GCM CORPORATION LIMITED`. */
export function hasWord(name: string, word: string): boolean {
  return normaliseName(name).split(" ").includes(word);
}

function distinctWords(normalised: string): string[] {
  return normalised.split(" ").filter((word) => word.length >= SHORTEST_BEGINNING && !COMMON_WORDS.has(word));
}

function begins(beginning: string, word: string): boolean {
  return beginning.length >= SHORTEST_BEGINNING && !COMMON_WORDS.has(beginning) && word.startsWith(beginning);
}

/** The share of pairs of neighbouring letters that two texts have in common, 0 to 1 (the coefficient of Dice). */
function sharedPairs(left: string, right: string): number {
  const [one, other] = [pairsOf(left), pairsOf(right)];
  const rest = [...other];
  const common = one.filter((pair) => {
    const at = rest.indexOf(pair);
    if (at >= 0) rest.splice(at, 1);
    return at >= 0;
  });
  return one.length + other.length === 0 ? 0 : (2 * common.length) / (one.length + other.length);
}

function pairsOf(text: string): string[] {
  return Array.from({ length: Math.max(0, text.length - 1) }, (_, at) => text.slice(at, at + 2));
}
