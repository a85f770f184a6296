/**
 * What options there are: one table per kind of object (model, optimizer, training, data) says type, default, range and
 * meaning; the typed interfaces, the command line and its help, and the checks all go by it.
 *
 * @module
 */

import { spell } from "./display.ts";
import { fail } from "./errors.ts";

/** One option. */
export interface OptionSpec {
  /** What its value is: "numbers" is a list of two, "list" one of any length, "texts" a list of words. */
  readonly type: "integer" | "number" | "numbers" | "list" | "boolean" | "choice" | "text" | "texts";
  /** Its value when it is not given; none: it must be given, or stays undefined where `optional`. */
  readonly default?: number | boolean | string | readonly number[] | readonly string[];
  /** Whether it may stay undefined. */
  readonly optional?: boolean;
  /** What happens if it is not given, in words, where no default says it: "never". */
  readonly otherwise?: string;
  /** In the table of something that has several kinds: the kinds that have this option, each with its default, if any. */
  readonly kinds?: Readonly<Record<string, OptionSpec["default"]>>;
  /** The name it used to have, which is still accepted. */
  readonly formerly?: string;
  /** Least value. */
  readonly least?: number;
  /** Greatest value. */
  readonly most?: number;
  /** Whether the least value itself is excluded. */
  readonly above?: boolean;
  /** A value that all values must be below. */
  readonly below?: number;
  /** The values of a "choice". */
  readonly choices?: readonly string[];
  /** Words that a number may be instead. */
  readonly words?: readonly string[];
  /** What it means, in one line. */
  readonly about: string;
  /** Of a switch that is on by default: what the flag that turns it off does. */
  readonly off?: string;
  /** Its flag, where that is not the name in kebab-case. */
  readonly flag?: string;
  /** What the help page calls its value: "FILE". */
  readonly takes?: string;
}

/** The spec of an option with values of type T. */
type SpecOf<T> =
  & OptionSpec
  & ([T] extends [boolean] ? { readonly type: "boolean"; readonly default?: boolean }
    : [T] extends [number] ? { readonly type: "integer" | "number"; readonly default?: number }
    : [T] extends [string] ? { readonly type: "choice" | "text"; readonly default?: T; readonly choices?: readonly T[] }
    : unknown);

/** A table of options that is checked against their interface: every option, with a type and a default that fit. */
export type SpecTable<Options> = { readonly [Name in keyof Options]-?: SpecOf<NonNullable<Options[Name]>> };

/** The type of an option's values, as its spec says. */
type ValueOf<Spec> = Spec extends { readonly type: "boolean" } ? boolean
  : Spec extends { readonly type: "choice"; readonly choices: readonly (infer Choice)[] } ? Choice
  : Spec extends { readonly type: "text" } ? string
  : Spec extends { readonly type: "texts" } ? readonly string[]
  : Spec extends { readonly type: "list"; readonly words: readonly (infer Word)[] } ? readonly number[] | Word
  : Spec extends { readonly type: "list" | "numbers" } ? readonly number[]
  : number;

/** The values of a constant table's options, all filled in. */
export type OptionValues<Table> =
  & {
    readonly [Name in keyof Table as Table[Name] extends { readonly optional: true } ? never : Name]: ValueOf<
      Table[Name]
    >;
  }
  & {
    readonly [Name in keyof Table as Table[Name] extends { readonly optional: true } ? Name : never]?: ValueOf<
      Table[Name]
    >;
  };

/** What a value must be, in words: "an integer from 1 to 64". */
export function expected(spec: OptionSpec): string {
  switch (spec.type) {
    case "boolean":
      return "true or false";
    case "choice":
      return `one of ${spec.choices!.join(", ")}`;
    case "numbers":
      return `two numbers ${range(spec)}`;
    case "list":
      return `${spec.words?.map((word) => `"${word}" or `).join("") ?? ""}numbers ${range(spec)}`;
    case "text":
      return "a nonempty string";
    case "texts":
      return "nonempty strings";
    default: {
      const words = spec.words?.map((word) => `"${word}" or `).join("") ?? "";
      return `${words}${spec.type === "integer" ? "an integer" : "a number"} ${range(spec)}`;
    }
  }
}

function range({ least = -Infinity, most, above, below }: OptionSpec): string {
  const from = above ? `above ${least}` : `from ${least}`;
  return below !== undefined ? `${from} and below ${below}` : most !== undefined ? `${from} to ${most}` : from;
}

/** Whether a value is of the type that an option wants. */
function hasType({ type, words }: OptionSpec, value: unknown): boolean {
  if (words && typeof value === "string") return true;
  switch (type) {
    case "boolean":
      return typeof value === "boolean";
    case "choice":
    case "text":
      return typeof value === "string";
    case "numbers":
    case "list":
      return Array.isArray(value) && value.every((n) => typeof n === "number") &&
        (type === "list" || value.length === 2);
    case "texts":
      return Array.isArray(value) && value.every((word) => typeof word === "string");
    default:
      return typeof value === "number";
  }
}

/** Whether a value of the right type is one that an option takes. */
function fits(spec: OptionSpec, value: unknown): boolean {
  if (spec.type === "choice") return spec.choices!.includes(value as string);
  if (spec.type === "boolean") return true;
  if (spec.words && typeof value === "string") return spec.words.includes(value);
  if (spec.type === "text") return value !== "";
  if (spec.type === "texts") return (value as string[]).length > 0 && !(value as string[]).includes("");
  const { least = -Infinity, most = Infinity, above, below = Infinity } = spec;
  return (spec.type === "list" || spec.type === "numbers" ? value as number[] : [value as number]).every((n) =>
    Number.isFinite(n) && (above ? n > least : n >= least) && n <= most && n < below &&
    (spec.type !== "integer" || Number.isSafeInteger(n))
  );
}

/**
 * Options with every default filled in.
 *
 * @param action What cannot be done if they are wrong: "create model".
 * @throws {TypeError} If an option is unknown, missing or of the wrong type.
 * @throws {RangeError} If a value is out of range.
 */
export function resolveOptions<Full = Record<string, unknown>>(
  action: string,
  specs: Readonly<Record<string, OptionSpec>>,
  given: object,
): Full {
  const values = withCurrentNames(ownOptions(action, given) as Record<string, unknown>, specs);
  for (const name of Object.keys(values)) {
    if (!Object.hasOwn(specs, name)) throw fail("option-unknown", action, `unknown option "${name}"`, { option: name });
  }
  const full: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(specs)) {
    const own = Object.hasOwn(values, name) ? values[name] : undefined, value = own === undefined ? spec.default : own;
    if (value === undefined) {
      if (spec.optional) continue;
      throw fail("option-missing", action, `${name} is missing`, { option: name });
    }
    const wrong = !hasType(spec, value) ? "option-type" : !fits(spec, value) ? "option-out-of-range" : undefined;
    if (wrong) {
      const wanted = expected(spec);
      throw fail(wrong, action, `${name} must be ${wanted}, got ${show(value)}`, {
        option: name,
        expected: wanted,
        value,
      });
    }
    full[name] = value;
  }
  return full as Full;
}

function show(value: unknown): string {
  return typeof value === "string" ? `"${value}"` : spell(value);
}

/**
 * Options as somebody gave them, all their own: those that an object has from its class, or from another object, count as
 * its own do, so that none is passed over.
 *
 * @param known What options there are, where nobody else looks for unknown ones.
 * @throws {TypeError} If it is no object, or there is no such option.
 */
export function ownOptions<T extends object>(
  action: string,
  given: T,
  known?: Readonly<Record<keyof T, true>>,
): T {
  if (typeof given !== "object" || given === null || Array.isArray(given) || ArrayBuffer.isView(given)) {
    const got = Array.isArray(given) ? "a list" : spell(given);
    throw fail("argument-type", action, `options must be an object, got ${got}`, { name: "options", value: given });
  }
  let own = given;
  // The root of all objects has nothing to say: it has no prototype of its own.
  for (let from = Object.getPrototypeOf(given); from && !isRoot(from); from = Object.getPrototypeOf(from)) {
    if (own === given) own = { ...given };
    for (const name of Object.getOwnPropertyNames(from)) {
      if (name === "constructor" || Object.hasOwn(own, name)) continue;
      Object.defineProperty(own, name, { value: given[name as keyof T], enumerable: true, configurable: true });
    }
  }
  const unknown = known && Object.keys(own).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return own;
  throw fail("option-unknown", action, `unknown option "${unknown}"`, { option: unknown });
}

/** Whether an object is what all others come from, in whatever realm. */
function isRoot(object: object): boolean {
  return Object.getPrototypeOf(object) === null && Object.hasOwn(object, "hasOwnProperty");
}

/** The values with each option under its present name; one that is given under both stays, to be refused. */
function withCurrentNames(
  values: Record<string, unknown>,
  specs: Readonly<Record<string, OptionSpec>>,
): Record<string, unknown> {
  const renamed = Object.entries(specs).filter(([name, { formerly }]) =>
    formerly !== undefined && Object.hasOwn(values, formerly) && values[name] === undefined
  );
  if (!renamed.length) return values;
  const current = { ...values };
  for (const [name, { formerly }] of renamed) {
    current[name] = current[formerly!];
    delete current[formerly!];
  }
  return current;
}

/**
 * The options of something that has several kinds, chosen by `name`: those that its kind has, with its kind's defaults.
 *
 * @param action What cannot be done if they are wrong: "create optimizer".
 * @throws {TypeError} If an option is unknown, of another kind, or of the wrong type.
 * @throws {RangeError} If a value is out of range.
 */
export function resolveKind(
  action: string,
  specs: Readonly<Record<string, OptionSpec>>,
  given: object,
): Record<string, unknown> {
  const all = resolveOptions(action, specs, given), kind = all.name as string;
  const hasOption = ({ kinds }: OptionSpec) => kinds === undefined || Object.hasOwn(kinds, kind);
  for (const option of Object.keys(all)) {
    if (!hasOption(specs[option]!)) {
      throw fail("option-unknown", action, `"${kind}" has no option "${option}"`, { option });
    }
  }
  const own = Object.entries(specs).filter(([, spec]) => hasOption(spec))
    .map(([option, spec]) => [option, all[option] ?? spec.kinds?.[kind]] as const);
  return Object.fromEntries(own.filter(([, value]) => value !== undefined));
}

/** The same object, whose members can also be read under the names they used to have: these are not enumerable. */
export function withFormerNames<T extends object>(object: T, current: Readonly<Record<string, keyof T>>): T {
  for (const [former, name] of Object.entries(current)) {
    if (object[name] !== undefined) Object.defineProperty(object, former, { value: object[name] });
  }
  return object;
}

/** A copy of a value of lists and plain objects, which nobody can change any more; what is neither stays as it is. */
export function frozen<T>(value: T): T {
  if (Array.isArray(value)) return Object.freeze(value.map(frozen)) as T;
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const copy = {};
  // Former names are not enumerable.
  for (const [name, { enumerable }] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
    Object.defineProperty(copy, name, { value: frozen(value[name as keyof T]), enumerable });
  }
  return Object.freeze(copy) as T;
}
