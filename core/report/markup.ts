/** HTML and SVG in which nothing but what is written here can be an element: text and attributes are always escaped. */

import { displayLines } from "../display.ts";

/** Markup that may stand in a page; only {@linkcode el} makes it. */
export class Markup {
  /** The markup itself. */
  readonly text: string;

  /** Takes text as markup. */
  constructor(text: string) {
    this.text = text;
  }
}

/** What an element holds: text is escaped, what is false or undefined left out. */
export type Content = Markup | string | number | false | undefined | readonly Content[];

/** Attributes by name; numbers are rounded to what a screen can show, what is false or undefined is left out. */
export type Attributes = Readonly<Record<string, string | number | false | undefined>>;

const EMPTY = new Set(["rect", "path", "line", "circle"]);

/** An element. */
export function el(name: string, attributes: Attributes = {}, ...content: readonly Content[]): Markup {
  const list = Object.entries(attributes).flatMap(([key, value]) =>
    value === false || value === undefined
      ? []
      : ` ${key}="${typeof value === "number" ? Number(value.toFixed(1)) : escape(value)}"`
  ).join("");
  if (EMPTY.has(name) && !content.length) return new Markup(`<${name}${list}/>`);
  return new Markup(name === "meta" ? `<meta${list}>` : `<${name}${list}>${render(content)}</${name}>`);
}

/** Markup of a list of contents. */
export function render(content: Content): string {
  if (content === false || content === undefined) return "";
  if (content instanceof Markup) return content.text;
  return typeof content === "object" ? content.map(render).join("") : escape(String(content));
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text that a page shows as it is, whatever stands in it; what no page may hold becomes the replacement character. */
export function escape(text: string): string {
  return displayLines(text).replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!);
}
