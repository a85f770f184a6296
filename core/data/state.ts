/**
 * Reads stored preprocessing. It may come from anybody's file, so every field is checked before it is used: exactly the
 * names that are written, finite numbers, counts that fit what is there.
 *
 * @module
 */

import { quote } from "../display.ts";
import { fail } from "../errors.ts";

/** What is wrong with a field. */
export function wrong(place: string, expected: string, value: unknown): TypeError {
  const text = Array.isArray(value) ? `a list of ${value.length}` : quote(value);
  return fail(
    "file-structure",
    "load preprocessing",
    `${place} must be ${expected}, got ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`,
    { name: place, value },
  );
}

/** The fields of an object that has these, perhaps those, and no others. */
export function fields<Name extends string, Maybe extends string = never>(
  value: unknown,
  place: string,
  names: readonly Name[],
  optional: readonly Maybe[] = [],
): Record<Name, unknown> & Partial<Record<Maybe, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(place, "an object", value);
  const strange = Object.keys(value).find((name) => !names.includes(name as Name) && !optional.includes(name as Maybe));
  if (strange !== undefined) {
    throw fail("file-structure", "load preprocessing", `${place} has an unknown field ${JSON.stringify(strange)}`, {
      name: strange,
    });
  }
  const absent = names.find((name) => !Object.hasOwn(value, name));
  if (absent) throw fail("file-structure", "load preprocessing", `${place}.${absent} is missing`, { name: absent });
  return value as Record<Name, unknown> & Partial<Record<Maybe, unknown>>;
}

/** An integer. */
export function whole(value: unknown, place: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  throw wrong(place, `an integer from ${least} to ${most}`, value);
}

/** One of a few words. */
export function oneOf<Choice extends string>(value: unknown, place: string, choices: readonly Choice[]): Choice {
  if (choices.includes(value as Choice)) return value as Choice;
  throw wrong(place, `one of ${choices.join(", ")}`, value);
}

/** True or false. */
export function truth(value: unknown, place: string): boolean {
  if (typeof value === "boolean") return value;
  throw wrong(place, "true or false", value);
}

/** Finite numbers, as many as they must be. */
export function numbers(value: unknown, place: string, count: number, above = -Infinity): number[] {
  if (Array.isArray(value) && value.length === count && value.every((n) => Number.isFinite(n) && n > above)) {
    return [...value];
  }
  throw wrong(place, `${count} finite numbers${above === 0 ? " above 0" : ""}`, value);
}

/** Texts that all differ, at least as many as they must be. */
export function distinctTexts(value: unknown, place: string, least: number): string[] {
  if (
    Array.isArray(value) && value.length >= least && value.every((text) => typeof text === "string") &&
    new Set(value).size === value.length
  ) return [...value];
  throw wrong(place, `at least ${least} distinct strings`, value);
}

/** What is read, or null. */
export function nullable<T>(value: unknown, read: (value: unknown) => T): T | null {
  return value === null ? null : read(value);
}
