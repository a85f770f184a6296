/**
 * Text from outside (labels, columns, file names, what a file holds) made fit to be shown: in a terminal, an error, a
 * report. Whatever prints such text takes it through {@linkcode display}.
 *
 * @module
 */

/** Controls, C1 among them, line separators, and what turns the direction of text. */
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ufffe\uffff]/gu;

/** Characters of text that stands between quotation marks in an error, and of a whole problem. */
const QUOTED = 120, PROBLEM = 2000;

/**
 * Text that does nothing but stand there: what controls a terminal, or turns the direction, becomes the replacement
 * character.
 *
 * @param limit Characters at most; an ellipsis in the middle says that some are missing.
 */
export function display(text: string, limit = Infinity): string {
  return shorten(text, limit).toWellFormed().replaceAll(UNSAFE, "\ufffd");
}

/** Text of several lines, as a page holds it: line ends and tabs stay. */
export function displayLines(text: string): string {
  return text.toWellFormed().replaceAll(UNSAFE, (unsafe) => "\t\n\r".includes(unsafe) ? unsafe : "\ufffd");
}

/** JSON with escapes for what {@linkcode display} would replace: the same value, fit for a terminal. */
export function displayJson(json: string): string {
  return json.replaceAll(UNSAFE, (unsafe) => `\\u${unsafe.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Whether text is shown as it is. */
export function isDisplayable(text: string): boolean {
  return text.isWellFormed() && text.search(UNSAFE) < 0;
}

/** The problem of an error, without what is too long to be read: a quoted value, or the whole. */
export function displayProblem(problem: string): string {
  if (problem.length <= QUOTED) return problem;
  return shorten(problem.replaceAll(/"[^"]*"/g, (quoted) => shorten(quoted, QUOTED)), PROBLEM);
}

/** Text without its middle, where it is longer than the limit. */
function shorten(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const end = Math.floor(limit / 4);
  return `${text.slice(0, limit - end - 1)}…${text.slice(text.length - end)}`;
}

/** A word of a command as a POSIX shell takes it, whatever is in it; what cannot be shown is spelled in octal. */
export function shellWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  if (isDisplayable(word)) return `'${word.replaceAll("'", `'\\''`)}'`;
  const octal = Array.from(new TextEncoder().encode(word), (byte) => {
    const character = String.fromCharCode(byte);
    return /[\w@+=:,./ -]/.test(character) ? character : `\\${byte.toString(8).padStart(3, "0")}`;
  });
  return `"$(printf -- '${octal.join("")}')"`;
}

/** Members of a list that an error shows. */
const SPELLED = 16;

/** A value in an error, whatever it is: a symbol, or an object that makes no string of itself, too. */
export function spell(value: unknown): string {
  if (Array.isArray(value) && value.length > SPELLED) return `${spell(value.slice(0, SPELLED))},…`;
  try {
    return String(value);
  } catch {
    return Array.isArray(value) ? value.map(spell).join() : "an object";
  }
}

/** The same with quotation marks around a string, and objects as JSON. */
export function quote(value: unknown): string {
  try {
    return JSON.stringify(value) ?? spell(value);
  } catch {
    return spell(value);
  }
}
