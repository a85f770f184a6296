/** Sequences in what JSON holds: one or many, as an object with x, a list of steps, or a text. */

import { Problem } from "./problem.ts";

/** A sequence in a body. */
export interface Item {
  /** An object with x. */
  readonly record: unknown;
  /** Its place in the body, and that of its x: "[2]" and "[2].x". */
  readonly field: string;
  readonly x: string;
}

/** Sequences in a body. */
export interface Items {
  readonly items: readonly Item[];
  /** Whether it holds one by itself, not a list of them. */
  readonly isOne: boolean;
}

/**
 * The sequences in what JSON holds. A list of numbers, or of lists of numbers, is one sequence.
 *
 * @param field Its place in the body: "instances".
 */
export function itemsIn(json: unknown, field = ""): Items {
  if (!Array.isArray(json)) return { items: [itemOf(json, field)], isOne: true };
  const [first] = json, isSteps = !isSequence(first) && !(Array.isArray(first) && Array.isArray(first[0]));
  if (json.length && isSteps) return { items: [itemOf(json, field)], isOne: true };
  return { items: manyIn(json, field), isOne: false };
}

/** The sequences of a list. */
export function manyIn(json: unknown, field: string): Item[] {
  if (!Array.isArray(json)) throw new Problem(400, `${field || "the body"} must be a list of sequences`, { field });
  if (!json.length) throw new Problem(400, `${field || "the body"} has no sequences`, { field });
  return json.map((one, i) => itemOf(one, `${field}[${i}]`));
}

/** Whether a value is a sequence by itself: an object, or a text. */
function isSequence(json: unknown): boolean {
  return typeof json === "string" || typeof json === "object" && json !== null && !Array.isArray(json);
}

function itemOf(json: unknown, field: string): Item {
  if (typeof json === "string" || Array.isArray(json)) return { record: { x: json }, field, x: field };
  return { record: json, field, x: field ? `${field}.x` : "x" };
}
