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

/** Numbers that are drawn or cleared at a time. */
const PIECE = 1 << 20;

/** Fills the block of all parameters, which is zeros, with PyTorch's initial values. */
export function initialize(device: Device, block: Tensor, parameters: readonly Parameter[], seed: number): void {
  const random = new Random(seed, "init"), piece = new Float32Array(Math.min(PIECE, block.length));
  for (const { offset, length, shape, bound, normal, constant, zeroRow } of parameters) {
    const columns = shape[1] ?? 1, zeros = zeroRow === undefined ? length : zeroRow * columns;
    for (let at = 0; at < length; at += PIECE) {
      const values = piece.subarray(0, length - at);
      if (constant !== undefined) values.fill(constant);
      else {
        for (let i = 0; i < values.length; i++) {
          values[i] = (normal ? random.normal() : 2 * random.uniform() - 1) * bound;
        }
      }
      values.fill(0, Math.max(0, zeros - at), Math.max(0, zeros + columns - at));
      device.write(from(block, offset + at, values.length), values);
    }
  }
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

/** The numbers of a block themselves, in the memory of a device that can show them. */
export function viewBlock(device: Device, block: Tensor, parameters: readonly Parameter[]): StateDict {
  return Object.fromEntries(parameters.map(({ name, shape, offset, length }) => [
    name,
    // They are read as others are, whoever shares the memory.
    { shape, data: device.view!(from(block, offset, length)) as Float32Array<ArrayBuffer> },
  ]));
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

/** Fills a block with zeros. */
export function clearBlock(device: Device, block: Tensor): void {
  const zeros = new Float32Array(Math.min(PIECE, block.length));
  for (let at = 0; at < block.length; at += PIECE) {
    const n = Math.min(PIECE, block.length - at);
    device.write(from(block, at, n), zeros.subarray(0, n));
  }
}
