/**
 * How bad data is spoken of: `Cannot read train.csv: line 3, column temp must be a number, got "abc"`. One line each,
 * whatever the file holds.
 *
 * @module
 */

const SHOWN = 40;

/** A file's text in an error: quoted, shortened, on one line. */
export function show(text: string): string {
  const short = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  // JSON lets some line ends and controls stand.
  return JSON.stringify(short).replaceAll(
    /[\u007f-\u009f\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A name in an error: bare where it is plain. */
export function bare(name: string): string {
  return /^[\p{L}\p{N}_][\p{L}\p{N} _.,:()/[\]%°#+-]*$/u.test(name) && name.length <= SHOWN ? name : show(name);
}

/** A file's name in an error: as it is, without what would break the line. */
export function plain(name: string): string {
  // deno-lint-ignore no-control-regex
  return name.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "�");
}

function message(file: string, what: string): string {
  return `Cannot read ${plain(file)}: ${what}`;
}

/** Data that do not follow their format. */
export function malformed(file: string, what: string): SyntaxError {
  return new SyntaxError(message(file, what));
}

/** Data beyond a range or a limit. */
export function outOfRange(file: string, what: string): RangeError {
  return new RangeError(message(file, what));
}

/** Data of a kind, or options, that cannot be used. */
export function unusable(file: string, what: string): TypeError {
  return new TypeError(message(file, what));
}
