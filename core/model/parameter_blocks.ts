/**
 * Blocks of all parameters, or of as many moments, on a device, by the parameters' names. In WebAssembly's memory they are
 * read and written one by one, so that a large model is there once and not several times; from a GPU a block comes at once,
 * for each call takes long.
 *
 * @module
 */

import { from } from "../device/arena.ts";
import type { Device } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import { checkStateDict, fromStateDict, type NamedArray, type StateDict, toStateDict } from "./arrays.ts";
import { Random } from "../random.ts";
import type { Parameter } from "./parameters.ts";

/** PyTorch's initial values. */
export function initialValues(parameters: readonly Parameter[], size: number, seed: number): Float32Array<ArrayBuffer> {
  const random = new Random(seed, "init"), values = new Float32Array(size);
  for (const { offset, length, shape, bound, normal, constant, zeroRow } of parameters) {
    if (constant !== undefined) {
      values.fill(constant, offset, offset + length);
      continue;
    }
    for (let i = 0; i < length; i++) {
      values[offset + i] = (normal ? random.normal() : 2 * random.uniform() - 1) * bound;
    }
    if (zeroRow !== undefined) values.fill(0, offset + zeroRow * shape[1]!, offset + (zeroRow + 1) * shape[1]!);
  }
  return values;
}

/** A copy of a block. */
export async function readBlock(device: Device, block: Tensor, parameters: readonly Parameter[]): Promise<StateDict> {
  if (device.name !== "wasm") return toStateDict(parameters, await device.read(block));
  const entries = parameters.map(async ({ name, shape, offset, length }): Promise<[string, NamedArray]> => [
    name,
    { shape, data: await device.read(from(block, offset, length)) },
  ]);
  return Object.fromEntries(await Promise.all(entries));
}

/**
 * The reverse of readBlock.
 *
 * @param action What cannot be done if the dict is another model's.
 */
export function writeBlock(
  device: Device,
  block: Tensor,
  parameters: readonly Parameter[],
  dict: StateDict,
  action: string,
): void {
  if (device.name !== "wasm") return device.write(block, fromStateDict(action, dict, parameters, block.length));
  checkStateDict(action, dict, parameters);
  for (const { name, offset, length } of parameters) {
    const { data } = dict[name]!;
    device.write(from(block, offset, length), data instanceof Float32Array ? data : new Float32Array(data));
  }
}

/** Numbers that are cleared at a time. */
const ZEROS = 1 << 20;

/** Fills a block with zeros. */
export function clearBlock(device: Device, block: Tensor): void {
  const zeros = new Float32Array(Math.min(ZEROS, block.length));
  for (let at = 0; at < block.length; at += ZEROS) {
    const n = Math.min(ZEROS, block.length - at);
    device.write(from(block, at, n), zeros.subarray(0, n));
  }
}
