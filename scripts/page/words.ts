/** Errors in the words of the page: the library's, with advice that names its fields in place of flags. */

import { inFlags } from "../../core/cli/hints.ts";
import { errorCause, type ErrorCode, messageOf } from "../../core/errors.ts";
import { FIELDS, idOf, labelOf } from "./fields.ts";

/** Advice where the page has another way than a flag. */
const ADVICE: { readonly [Code in ErrorCode]?: string } = {
  "label-column-unknown": "choose “label” for a column in the table of columns",
  "labels-missing": "choose a file that has labels",
  "column-is-time": "choose “time”, or “not used”, for it in the table of columns",
  "column-not-numbers": "choose “not used” or another use for it in the table of columns",
  "column-type": "choose the columns to take as “input” in the table of columns",
  "column-unnamed": "name it in the file",
  "column-missing": "choose what columns are for again",
  "sequence-repeated": "choose “names the sequence” for a column in the table of columns if a row is a step",
  "file-unsupported": "a CSV file takes any table",
};

/** What is wrong, and the id of the field that it is about. */
export interface Wrong {
  readonly text: string;
  readonly field?: string;
}

/** An error as the page says it. */
export function wrongOf(error: unknown): Wrong {
  const cause = errorCause(error);
  if (!cause) return { text: inFields(error instanceof Error ? error.message : String(error)), ...fieldIn(error) };
  const flagged = inFlags(cause), advice = ADVICE[cause.code] ?? flagged.advice;
  const option = cause.option, field = [...FIELDS.values()].find(({ name }) => name === option);
  return {
    text: inFields(messageOf({ ...flagged, advice }, "cannot")),
    ...field ? { field: idOf(field.key) } : {},
  };
}

/** The first field that an error in flags is about. */
function fieldIn(error: unknown): { field?: string } {
  const flag = (error as Error).message?.match(/--(?:no-)?([a-z][a-z-]*)/)?.[1];
  const field = [...FIELDS.values()].find((one) => one.flag === flag);
  return field ? { field: idOf(field.key) } : {};
}

/** Text with the labels of fields in place of flags. */
export function inFields(text: string): string {
  return text.replaceAll(/--(?:no-)?([a-z][a-z-]*)(?: (?:[A-Z][A-Z,:…]*(?![a-z])))?/g, (_, flag) => labelOf(flag));
}
