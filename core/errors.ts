/**
 * How the library fails: with the language's own error classes, and a `cause` that programs can read. A message says what
 * could not be done, what is wrong, and what to do; it may be reworded in any version. The code stays.
 *
 * @module
 */

import { displayProblem, spell } from "./display.ts";

/**
 * Every code, with the class of the errors that carry it: TypeError for what is of the wrong kind, RangeError for a value
 * out of range, SyntaxError for a file that breaks its format, Error for a device that fails.
 */
export const ERROR_CODES = {
  // Options and arguments.
  /** An option does not exist; `option`. */
  "option-unknown": TypeError,
  /** An option that must be given is not; `option`. */
  "option-missing": TypeError,
  /** An option is of the wrong type; `option`, `expected`, `value`. */
  "option-type": TypeError,
  /** An option is out of range, alone or beside others; `option`, `expected`, `value`. */
  "option-out-of-range": RangeError,
  /** An option is not for such data: it would change nothing; `option`, `expected`, `name`. */
  "option-unsuited": TypeError,
  /** Options contradict each other; `option`, one of them. */
  "option-conflict": TypeError,
  /** An argument is of the wrong type; `name`, `value`. */
  "argument-type": TypeError,
  /** An argument is out of range; `name`, `value`. */
  "argument-out-of-range": RangeError,
  /** Two arrays, or an array and its shape, do not fit each other; `name`. */
  "shape-mismatch": RangeError,
  /** A number must be finite; `name`, `value`. */
  "not-finite": RangeError,
  /** There is nothing to compute with. */
  "empty": RangeError,
  /** All sequences have the weight 0. */
  "weights-zero": RangeError,

  // Models and devices.
  /** A loss does not exist, or does not go with the request; `value`. */
  "loss-unknown": TypeError,
  /** A model does not know what its outputs mean. */
  "outputs-unknown-meaning": TypeError,
  /** Layers that do not fit one another. */
  "wiring": TypeError,
  /** A batch is of the wrong type; `name`, `value`. */
  "batch-type": TypeError,
  /** A batch is of the wrong shape; `name`, `value`. */
  "batch-shape": RangeError,
  /** A batch holds a value that cannot be; `name`, `value`. */
  "batch-value": RangeError,
  /** A state dict lacks an array, has one too many, or one that is not made of finite numbers; `name`. */
  "state-dict-mismatch": TypeError,
  /** An array of a state dict has another shape than the model's; `name`, `value`. */
  "state-dict-shape": RangeError,
  /** There is not enough memory. */
  "out-of-memory": RangeError,
  /** A model or device that was disposed is used. */
  "disposed": TypeError,
  /** The engine lacks the SIMD instructions that were asked for; `option`, `value`. */
  "simd-unavailable": TypeError,
  /** The engine compiles no WebAssembly at run time, or a page's policy forbids it; `option`. */
  "wasm-unavailable": TypeError,
  /** There is no file system here to which a path leads. */
  "files-unavailable": TypeError,
  /** There is no GPU. */
  "gpu-unavailable": Error,
  /** The GPU or a thread failed. */
  "device-failed": Error,
  /** Other processes cannot be reached: there is no library, or it may not be called. */
  "fleet-unavailable": Error,
  /** Processes that train together do not do the same, or one of them fails; `name`, what differs. */
  "fleet-failed": Error,
  /** A kernel is called with what it does not take: a fault of the program that calls it; `name`. */
  "kernel-call": TypeError,
  /** A program is run that is not part of the plan: a fault of the program that runs it. */
  "program-unknown": TypeError,

  // Training.
  /** The trainer belongs to another model, or the model to another trainer. */
  "trainer-mismatch": TypeError,
  /** A training's state does not fit its options and data. */
  "state-mismatch": RangeError,
  /** A checkpoint holds no training to resume. */
  "training-missing": TypeError,
  /** The training is already running. */
  "training-running": TypeError,
  /** A training's state is that of one that has ended. */
  "training-ended": RangeError,
  /** The data are not those that the training began with; `name`, which of them. */
  "data-changed": RangeError,
  /** The loss or the gradient is no longer finite. */
  "training-diverged": RangeError,

  // Files.
  /** A file holds nothing. */
  "file-empty": SyntaxError,
  /** A file, or a part of it, is not JSON. */
  "file-not-json": SyntaxError,
  /** A file ends too early. */
  "file-cut-off": SyntaxError,
  /** A file breaks its format. */
  "file-malformed": SyntaxError,
  /** A file is of none of the formats that can be read here. */
  "file-format-unknown": TypeError,
  /** A file's version is not one that can be read; `value`. */
  "file-version": RangeError,
  /** A field of a file is missing, unknown or of the wrong type; `name`, `value`. */
  "file-structure": TypeError,
  /** A file uses what is not supported of its format; `name`, `value`. */
  "file-unsupported": TypeError,
  /** A file, or a part of it, is larger than the limit; `option`, if one sets it. */
  "file-too-large": RangeError,
  /** JSON is nested too deeply, or too long, for the engine. */
  "file-too-deep": RangeError,
  /** Lengths, shapes, bytes or checksum of a file contradict each other. */
  "file-damaged": RangeError,
  /** Preprocessing that belongs to another model; `name`, `value`. */
  "preprocessing-mismatch": RangeError,

  // Data in files.
  /** A line, or a record, is longer than the limit; `option`. */
  "line-too-long": RangeError,
  /** A row has more or fewer cells, values or dimensions than it must have. */
  "row-width": SyntaxError,
  /** The first line looks like data; `option`. */
  "header-unclear": TypeError,
  /** Lists of labels may be labels of steps; `option`. */
  "labels-unclear": TypeError,
  /** A column has no name; `option`. */
  "column-unnamed": SyntaxError,
  /** Two columns have one name; `column`. */
  "columns-alike": SyntaxError,
  /** A column that an option asks for does not exist; `option`, `column`. */
  "column-missing": TypeError,
  /** A column is asked for twice; `column`. */
  "column-conflict": TypeError,
  /** A column is not of numbers, as its declaration says; `column`. */
  "column-type": TypeError,
  /** A column that nobody asked for tells the time; `column`, `option`. */
  "column-is-time": SyntaxError,
  /** A column is not of numbers, as its first cell says; `column`, `option`, `value`. */
  "column-not-numbers": SyntaxError,
  /** No column is of numbers. */
  "file-without-numbers": SyntaxError,
  /** Nothing says which column is the label; `option`. */
  "label-column-unknown": TypeError,
  /** A file has no labels; `option`. */
  "labels-missing": TypeError,
  /** A sequence of a file has no label. */
  "label-missing": SyntaxError,
  /** A source or target is missing or empty. */
  "text-missing": SyntaxError,
  /** A cell is not a number; `value`, `column`. */
  "not-a-number": SyntaxError,
  /** A number is too large, or does not fit 32-bit floats; `value`. */
  "number-out-of-range": RangeError,
  /** A weight is not one; `value`. */
  "weight-out-of-range": RangeError,
  /** A sequence comes again right after itself; `option`. */
  "sequence-repeated": SyntaxError,
  /** A table holds several series; `column`, which tells them apart. */
  "series-several": SyntaxError,
  /** Rows or steps are not in order. */
  "sequence-order": SyntaxError,
  /** A row does not say which sequence it belongs to. */
  "sequence-unnamed": SyntaxError,
  /** Rows of one sequence differ where they must not. */
  "sequence-inconsistent": SyntaxError,
  /** An array does not exist in an archive; `name`, `option`. */
  "array-missing": TypeError,
  /** An array has a shape that sequences, labels or tables do not have; `value`. */
  "array-shape": TypeError,

  // Data.
  /** Text where there must be numbers, or the reverse. */
  "input-kind": RangeError,
  /** A value is missing; `option`, if one says what to do about it. */
  "value-missing": RangeError,
  /** A column of a table does not exist, or is not of numbers; `column`. */
  "series-missing": RangeError,
  /** A table has too few rows; `count`. */
  "table-too-short": RangeError,
  /** A sequence has too few steps; `count`. */
  "sequence-too-short": RangeError,
  /** A record has no label. */
  "record-unlabeled": RangeError,
  /** A label was never seen in training; `name`, `option`. */
  "label-unknown": RangeError,
  /** A label is not one that its task has; `value`. */
  "label-out-of-range": RangeError,
  /** There are more classes than the task takes; `count`. */
  "too-many-classes": RangeError,
  /** All labels are alike, or a class never occurs. */
  "nothing-to-learn": RangeError,
  /** No token is left. */
  "vocabulary-empty": RangeError,
  /** A target has more tokens than the limit; `option`, `value`. */
  "target-too-long": RangeError,
  /** There are too few items for the parts or folds; `count`. */
  "too-few-items": RangeError,
  /** Arrays would have more numbers than they can. */
  "data-too-large": RangeError,
} as const;

/** What went wrong, in a word that stays the same from version to version: a key of {@linkcode ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** What an error is about: which fields there are depends on its code. */
export interface ErrorDetails {
  /** The option, as the library spells it. */
  readonly option?: string;
  /** What was found. */
  readonly value?: unknown;
  /** What a value must be, in words. */
  readonly expected?: string;
  /** A parameter, an argument, an array, a label, a field. */
  readonly name?: string;
  /** The file, as its reader was told to call it. */
  readonly file?: string;
  /** Its column: by name, or its number from 1. */
  readonly column?: string;
  /** How many there are. */
  readonly count?: number;
  /** What to do about it, in the library's words. */
  readonly advice?: string;
  /** The error of the engine, or of another library, that this one is made of. */
  readonly error?: unknown;
}

/** The `cause` of the library's errors. */
export interface ErrorCause extends ErrorDetails {
  /** What went wrong. */
  readonly code: ErrorCode;
  /** What could not be done: "create model". */
  readonly action: string;
  /** At which part of it, behind the action. */
  readonly place?: string;
  /** What is wrong, in words, without the advice. */
  readonly problem: string;
}

/** The message of an error: what, why, and what to do. */
export function messageOf({ action, place, problem, advice }: Omit<ErrorCause, "code">, cannot = "Cannot"): string {
  return `${cannot} ${action}${place === undefined ? "" : ` ${place}`}: ${problem}${
    advice === undefined ? "" : `: ${advice}`
  }`;
}

/**
 * An error to throw, of the code's class.
 *
 * @param code What went wrong.
 * @param action What cannot be done: "create model".
 * @param problem What is wrong, with place and value.
 * @param details What programs may want to know.
 */
export function fail<Code extends ErrorCode>(
  code: Code,
  action: string,
  problem: string,
  details: ErrorDetails = {},
): InstanceType<(typeof ERROR_CODES)[Code]> {
  const cause: ErrorCause = { code, action, problem: displayProblem(problem), ...details };
  return new ERROR_CODES[code](messageOf(cause), { cause }) as InstanceType<(typeof ERROR_CODES)[Code]>;
}

/** What an argument can be asked to be, in words and by a check. */
const KINDS = {
  "string": ["a string", (value: unknown) => typeof value === "string"],
  "boolean": ["true or false", (value: unknown) => typeof value === "boolean"],
  "function": ["a function", (value: unknown) => typeof value === "function"],
  "Uint8Array": ["a Uint8Array", (value: unknown) => value instanceof Uint8Array],
  "list": ["a list", isList],
  "numbers": ["a list of numbers", (value: unknown) => isList(value) && every(value, (one) => typeof one === "number")],
  "strings": ["a list of strings", (value: unknown) => isList(value) && every(value, (one) => typeof one === "string")],
  "lists": ["a list of lists", (value: unknown) => isList(value) && every(value, isList)],
  // A string is one of its characters.
  "sequences": [
    "a list of lists",
    (value: unknown) => isList(value) && every(value, (one) => typeof one === "string" || isList(one)),
  ],
  "iterable": ["an iterable", (value: unknown) =>
    Array.isArray(value) ||
    isObject(value) && !ArrayBuffer.isView(value) &&
      typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === "function"],
  "objects": ["a list of objects", (value: unknown) => isList(value) && every(value, isObject)],
} as const satisfies Record<string, readonly [string, (value: unknown) => boolean]>;

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isList(value: unknown): value is ArrayLike<unknown> {
  // Those of BigInt are no numbers to anybody here.
  return Array.isArray(value) ||
    ArrayBuffer.isView(value) && typeof (value as Uint8Array)[0] !== "bigint" && !(value instanceof DataView) &&
      !isGone(value as Uint8Array);
}

/** Whether an array's memory was given away, or cut off. */
function isGone(array: Uint8Array): boolean {
  try {
    return array.length === 0 && !array.values();
  } catch {
    return true;
  }
}

/** Whether all members of a list are such: a hole in it is undefined. */
function every(list: ArrayLike<unknown>, is: (value: unknown) => boolean): boolean {
  if (ArrayBuffer.isView(list)) return list.length === 0 || is(list[0]);
  for (let i = 0; i < list.length; i++) if (!is(list[i])) return false;
  return true;
}

/**
 * Checks what an argument is, where that is not seen by what is done with it: for those who call from JavaScript.
 *
 * @param is The members that an object must have, or what else it must be.
 * @throws {TypeError} If it is something else.
 */
export function checkArgument(
  action: string,
  name: string,
  value: unknown,
  is: readonly string[] | keyof typeof KINDS,
): void {
  const [wanted, fits] = typeof is === "string" ? KINDS[is] : [
    is.length ? `an object with ${is.join(", ")}` : "an object",
    (value: unknown) => isObject(value) && is.every((member) => value[member as keyof typeof value] !== undefined),
  ];
  if (fits(value)) return;
  const got = !isObject(value) ? spell(value) : Array.isArray(value) ? "another list" : "another object";
  throw fail("argument-type", action, `${name} must be ${wanted}, got ${got}`, { name, value });
}

/**
 * Checks that a number is an integer from `least` to `most`.
 *
 * @throws {RangeError} If not.
 */
export function checkInteger(action: string, name: string, value: unknown, least = 0, most = Infinity): void {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return;
  const wanted = `an integer from ${least}${most < Infinity ? ` to ${most}` : ""}`;
  throw fail("argument-out-of-range", action, `${name} must be ${wanted}, got ${spell(value)}`, { name, value });
}

/**
 * The cause of an error of the library; undefined for any other value.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, errorCause } from "@grutto/grutto";
 *
 * const error = await createModel({ inputSize: 0, hiddenSize: 4, outputSize: 2 }).catch((error) => error);
 * assert.ok(error instanceof RangeError);
 * const cause = errorCause(error)!;
 * assert.equal(cause.code, "option-out-of-range");
 * assert.equal(cause.option, "inputSize");
 * ```
 */
export function errorCause(error: unknown): ErrorCause | undefined {
  const cause = error instanceof Error ? error.cause as ErrorCause | null | undefined : undefined;
  return typeof cause?.code === "string" && Object.hasOwn(ERROR_CODES, cause.code) ? cause : undefined;
}

/** The code of an error of the library; undefined for any other value. */
export function errorCode(error: unknown): ErrorCode | undefined {
  return errorCause(error)?.code;
}

/**
 * The same error with other details, such as an `action` that says what it was met at. Its class and stack stay. What is
 * no error of the library stays as it is.
 */
export function amend(error: unknown, change: Partial<Omit<ErrorCause, "code">>): unknown {
  const cause = errorCause(error);
  if (!cause) return error;
  const amended = { ...cause, ...change };
  return Object.assign(error as Error, { cause: amended, message: messageOf(amended) });
}

/** The same error, met in what a file holds: an option is not the caller's then, but a field of the file. */
export function whileReading(action: string, error: unknown): unknown {
  const { option, name = option } = errorCause(error) ?? {};
  return amend(error, { action, option: undefined, name });
}
