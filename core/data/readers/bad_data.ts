/**
 * How bad data is spoken of: `Cannot read train.csv: line 3, column temp must be a number, got "abc"`. One line each,
 * whatever the file holds.
 *
 * @module
 */

import { display, displayJson } from "../../display.ts";
import { type ErrorCode, type ErrorDetails, fail } from "../../errors.ts";

const SHOWN = 40;

/** A file's text in an error: quoted, shortened, on one line. */
export function show(text: string): string {
  const short = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  // JSON lets some line ends and controls stand.
  return displayJson(JSON.stringify(short));
}

/** A name in an error: bare where it is plain. */
export function bare(name: string): string {
  return /^[\p{L}\p{N}_][\p{L}\p{N} _.,:()/[\]%°#+-]*$/u.test(name) && name.length <= SHOWN ? name : show(name);
}

/** A file that cannot be read. */
export function badFile<Code extends ErrorCode>(code: Code, file: string, problem: string, details?: ErrorDetails) {
  return fail(code, `read ${display(file)}`, problem, { file, ...details });
}
