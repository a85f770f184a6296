/**
 * Drawing figures: SVG that can be read on light and dark pages, and small enough to be committed.
 *
 * @module
 */

/** Colours that the colour-blind tell apart (Okabe and Ito), on white and on black. */
export const COLOURS = {
  blue: "#0072b2",
  sky: "#56b4e9",
  green: "#009e73",
  orange: "#e69f00",
  vermilion: "#d55e00",
  purple: "#cc79a7",
  grey: "#8a8a8a",
} as const;

/** A position on a logarithmic axis: `from` lies at `start`, `to` at `end`. */
export function logScale(from: number, to: number, start: number, end: number): (value: number) => number {
  return (value) => start + (end - start) * Math.log(value / from) / Math.log(to / from);
}

/** The powers of ten from the one at or below `from` to the one at or above `to`. */
export function decades(from: number, to: number): number[] {
  const first = Math.floor(Math.log10(from) + 1e-9), last = Math.ceil(Math.log10(to) - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

/** An element. Numbers are rounded to what a screen can show. */
export function element(name: string, attributes: Record<string, string | number>, content?: string): string {
  const text = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? Number(value.toFixed(2)) : escape(value)}"`);
  return content === undefined ? `<${name}${text.join("")}/>` : `<${name}${text.join("")}>${content}</${name}>`;
}

/** A line of text; by default it starts at (x, y). */
export function label(x: number, y: number, text: string, attributes: Record<string, string | number> = {}): string {
  return element("text", { x, y, ...attributes }, escape(text));
}

/** A whole figure. Class "t" is text, "q" quiet text, "g" a line of the grid. */
export function figure(width: number, height: number, title: string, parts: readonly string[]): string {
  const style = "text{font:12px system-ui,sans-serif;fill:#24292f}.q{fill:#59636e;font-size:11px}.v{font-size:10px}" +
    ".h{font-size:14px;font-weight:600}.g{stroke:#59636e;stroke-opacity:.25}" +
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.q{fill:#9da7b3}.g{stroke:#9da7b3}}";
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" role="img">`,
    element("title", {}, escape(title)),
    element("style", {}, style),
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
