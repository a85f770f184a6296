/** Arrays with a shape, and parameters by name. */

import { spell } from "../display.ts";
import { fail } from "../errors.ts";
import type { Parameter } from "./parameters.ts";

/** Numbers with a shape, row-major. */
export interface NamedArray {
  /** Length of each dimension, the outermost first. */
  readonly shape: readonly number[];
  /** The numbers, as many as the product of `shape`. */
  readonly data: Float32Array<ArrayBuffer>;
}

/** Parameters by PyTorch's names, as `state_dict()` gives them. */
export type StateDict = Record<string, NamedArray>;

/** A block of all parameters as a dict of copies. */
export function toStateDict(parameters: readonly Parameter[], block: Float32Array<ArrayBuffer>): StateDict {
  return Object.fromEntries(
    parameters.map(({ name, shape, offset, length }) => [name, { shape, data: block.slice(offset, offset + length) }]),
  );
}

/**
 * Checks that a dict has these parameters and no others, all of finite numbers.
 *
 * @param action What cannot be done if it has not: "load state dict".
 * @throws {TypeError} If a name is missing, unknown or no array, or a value is not a finite number.
 * @throws {RangeError} If a shape is another.
 */
export function checkStateDict(action: string, dict: StateDict, parameters: readonly Parameter[]): void {
  if (typeof dict !== "object" || dict === null) {
    throw fail("state-dict-mismatch", action, `it must be an object, got ${spell(dict)}`, { value: dict });
  }
  const known = new Set(parameters.flatMap(({ name, also }) => also === undefined ? [name] : [name, also]));
  const unknown = Object.keys(dict).find((name) => !known.has(name));
  for (const { name, shape, length } of parameters) {
    if (!Object.hasOwn(dict, name)) {
      const other = unknown === undefined ? "" : `; ${JSON.stringify(unknown)} is none of its parameters`;
      throw fail("state-dict-mismatch", action, `missing parameter "${name}"${other}`, { name });
    }
    const got = dict[name]!;
    if (!Array.isArray(got?.shape) || !ArrayBuffer.isView(got.data)) {
      throw fail("state-dict-mismatch", action, `"${name}" must be { shape, data }`, { name, value: got });
    }
    if (got.shape.length !== shape.length || got.shape.some((n, i) => n !== shape[i]) || got.data.length !== length) {
      throw fail(
        "state-dict-shape",
        action,
        `"${name}" must have shape [${shape}] and ${length} numbers, got [${got.shape}] and ${got.data.length}`,
        { name, value: got.shape },
      );
    }
    const bad = got.data.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      throw fail("state-dict-mismatch", action, `"${name}" holds ${got.data[bad]} at ${bad}`, {
        name,
        value: got.data[bad],
      });
    }
  }
  for (const { name, also } of parameters) {
    const [one, other] = [dict[name], dict[also ?? ""]];
    if (!other || other.data?.length === one!.data.length && one!.data.every((x, i) => x === other.data[i])) continue;
    throw fail("state-dict-mismatch", action, `"${also}" must be the same as "${name}", which it is tied to`, {
      name: also,
    });
  }
  if (unknown !== undefined) {
    throw fail("state-dict-mismatch", action, `unknown parameter ${JSON.stringify(unknown)}`, { name: unknown });
  }
}

/** A dict of all parameters as one block of `size` numbers: the reverse of toStateDict. */
export function fromStateDict(
  action: string,
  dict: StateDict,
  parameters: readonly Parameter[],
  size: number,
): Float32Array<ArrayBuffer> {
  checkStateDict(action, dict, parameters);
  const values = new Float32Array(size);
  for (const { name, offset } of parameters) values.set(dict[name]!.data, offset);
  return values;
}

/** Gives the memory of arrays back at once, which nobody will read again: the collector would let it be for long. */
export function release(dict: StateDict): void {
  // Node 20 has no transfer.
  for (const { data: { buffer } } of Object.values(dict)) (buffer as Partial<ArrayBuffer>).transfer?.(0);
}
