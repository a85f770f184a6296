/**
 * How bad data is spoken of: `Cannot read train.csv: line 3, column temp must be a number, got "abc"`. One line each,
 * whatever the file holds.
 *
 * @module
 */

import { type ErrorCode, type ErrorDetails, fail } from "../../errors.ts";

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

/** A file that cannot be read. */
export function badFile<Code extends ErrorCode>(code: Code, file: string, problem: string, details?: ErrorDetails) {
  return fail(code, `read ${plain(file)}`, problem, { file, ...details });
}
