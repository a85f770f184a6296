/** Sequences in what JSON holds: one or many, as an object with x, a list of steps, or a text. */

import { what } from "../data/readers/json.ts";
import { member, Problem } from "./problem.ts";

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
 * The sequences in what JSON holds. A list of numbers, of lists of numbers, or of objects of named numbers, is one sequence.
 *
 * @param names Of a step's numbers.
 * @param field Its place in the body: "instances".
 */
export function itemsIn(json: unknown, names: Names, field = ""): Items {
  if (!Array.isArray(json)) return { items: [itemOf(json, field)], isOne: true };
  const [first] = json, isList = Array.isArray(first);
  const isSteps = isList ? !Array.isArray(first[0]) && !isObject(first[0]) : !isSequence(first) || isStep(first, names);
  if (json.length && isSteps) return { items: [itemOf(json, field)], isOne: true };
  return { items: manyIn(json, field), isOne: false };
}

/** Names of a step's numbers, where they have some. */
export type Names = readonly string[] | undefined;

/** Whether a value is a step, its numbers by their names: no sequence, which has a list or a text. */
export function isStep(json: unknown, names: Names): boolean {
  if (!names || !isObject(json)) return false;
  const isNumber = (value: unknown) => value !== undefined && !Array.isArray(value) && typeof value !== "string";
  return names.some((name) => isNumber(member(json, name)));
}

/**
 * Steps whose numbers have no names; others are as they are.
 *
 * @param field Their place in the body: "[2].x".
 */
export function unnamed(x: unknown, names: Names, field: string): unknown {
  if (!names || !Array.isArray(x) || !isObject(x[0])) return x;
  return x.map((step: unknown, t) => {
    const place = `${field}[${t}]`, wrong = (problem: string, at = place) => new Problem(400, problem, { field: at });
    const all = names.join(", ");
    if (!isObject(step)) throw wrong(`${place} must be an object with ${all} as ${field}[0], got ${what(step)}`);
    const strange = Object.keys(step as object).find((name) => !names.includes(name));
    if (strange !== undefined) throw wrong(`${place} has ${JSON.stringify(strange)}: a step has ${all}`);
    return names.map((name) => {
      const value = member(step, name), at = `${place}.${name}`;
      if (typeof value === "number" || value === null) return value;
      throw wrong(`${at} must be a number, or null where it is missing, got ${what(value)}`, at);
    });
  });
}

/** The sequences of a list. */
export function manyIn(json: unknown, field: string): Item[] {
  if (!Array.isArray(json)) throw new Problem(400, `${field || "the body"} must be a list of sequences`, { field });
  if (!json.length) throw new Problem(400, `${field || "the body"} has no sequences`, { field });
  return json.map((one, i) => itemOf(one, `${field}[${i}]`));
}

function isObject(json: unknown): boolean {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/** Whether a value is a sequence by itself: an object, or a text. */
function isSequence(json: unknown): boolean {
  return typeof json === "string" || isObject(json);
}

function itemOf(json: unknown, field: string): Item {
  if (typeof json === "string" || Array.isArray(json)) return { record: { x: json }, field, x: field };
  return { record: json, field, x: field ? `${field}.x` : "x" };
}
