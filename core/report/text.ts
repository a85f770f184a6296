/** Text in columns: how wide it is in a terminal, and tables. */

let segmenter: Intl.Segmenter | undefined;

/** The characters that a reader sees. The engine takes 10 ms to know them: they are asked for when they are wanted. */
function graphemes(text: string): Iterable<{ readonly segment: string }> {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  return segmenter.segment(text);
}

/** Characters that take two columns (East Asian Width W and F), and pictures. */
const WIDE = new RegExp(
  "[\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\ua4cf\\ua960-\\ua97f\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe10-\\ufe19\\ufe30-\\ufe6f" +
    "\\uff01-\\uff60\\uffe0-\\uffe6\\ufe0f\\u{16fe0}-\\u{18aff}\\u{1b000}-\\u{1b2ff}\\u{20000}-\\u{3fffd}]|\\p{Emoji_Presentation}",
  "u",
);

/** Characters that take none by themselves. */
const NONE = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

/** Columns that text takes in a terminal; codes of colours take none. */
export function widthOf(coloured: string): number {
  // deno-lint-ignore no-control-regex
  const text = coloured.replaceAll(/\x1b\[\d+m/g, "");
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes(text)) width += NONE.test(segment) ? 0 : WIDE.test(segment) ? 2 : 1;
  return width;
}

/** Text with spaces behind it, or before. */
export function pad(text: string, width: number, before = false): string {
  const spaces = " ".repeat(Math.max(0, width - widthOf(text)));
  return before ? spaces + text : text + spaces;
}

/** Text of at most so many columns; an ellipsis says that something is missing. */
export function cutTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = "", taken = 0;
  for (const { segment } of graphemes(text)) {
    taken += widthOf(segment);
    if (taken > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** Rows in columns, the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[], gap = "  "): string[] {
  const widths = rows[0]!.map((_, column) => rows.reduce((most, row) => Math.max(most, widthOf(row[column]!)), 0));
  return rows.map((row) => row.map((text, i) => pad(text, widths[i]!, i > 0)).join(gap).trimEnd());
}
