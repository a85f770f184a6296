/** Kernels by themselves, on every device: what they compute, and that they keep to their tensors. */

import assert from "node:assert/strict";
import { Arena, from, tensorAt } from "../../core/device/arena.ts";
import { type Device, TaskBuilder } from "../../core/device/device.ts";
import { KERNELS, type Signature, type Tensor } from "../../core/device/kernels.ts";
import { WasmDevice } from "../../core/device/wasm.ts";
import { WebGpuDevice } from "../../core/device/webgpu.ts";
import { WITHOUT_GPU } from "../devices.ts";

/** Where kernels are tested. */
export const KERNEL_DEVICES: readonly { name: string; ignore: boolean; open: () => Promise<Device> }[] = [
  { name: "relaxed SIMD", ignore: false, open: () => WasmDevice.open(1, "relaxed") },
  { name: "plain SIMD", ignore: false, open: () => WasmDevice.open(1, "plain") },
  { name: "WebGPU", ignore: WITHOUT_GPU, open: () => WebGpuDevice.open() },
];

/** Sizes that fill vectors, groups and panels, or do not. */
export const SIZES = [1, 3, 5, 7, 13];

/** A test of kernels on every device, or of those that a GPU does not have. */
export function kernelTest(about: string, body: (device: Device) => Promise<void>, { gpu = true } = {}): void {
  for (const { name, ignore, open } of KERNEL_DEVICES) {
    if (name === "WebGPU" && !gpu) continue;
    Deno.test(`${about}: ${name}`, { ignore }, async () => {
      const device = await open();
      try {
        await body(device);
      } finally {
        device.dispose();
      }
    });
  }
}

/** Elements between tensors, all NaN. */
const GAP = 16;

/**
 * Runs calls on tensors with these contents, NaN all around, and returns them as they are afterwards. Fails where something
 * else was written.
 */
export async function runCalls<Name extends string>(
  device: Device,
  contents: Readonly<Record<Name, Float32Array | Int32Array>>,
  calls: (task: TaskBuilder, tensors: Record<Name, Tensor>) => void,
): Promise<Record<Name, Float32Array<ArrayBuffer>>> {
  const arena = new Arena(GAP), names = Object.keys(contents) as Name[];
  const tensors = {} as Record<Name, Tensor>;
  for (const name of names) {
    tensors[name] = arena.allocate(contents[name].length);
    arena.allocate(GAP);
  }
  const task = new TaskBuilder();
  calls(task, tensors);
  const program = [[task.calls]], all = from(tensorAt(0, arena.length), 0);
  device.load({ arena: arena.length, scratch: 0, parallel: false, programs: [program] }, 0);
  device.write(all, new Float32Array(all.length).fill(NaN));
  for (const name of names) device.write(tensors[name], contents[name] as Float32Array);
  await device.run(program);
  const after = await device.read(all), results = {} as Record<Name, Float32Array<ArrayBuffer>>;
  const outside = new Uint8Array(all.length).fill(1);
  for (const name of names) {
    const { offset, length } = tensors[name];
    results[name] = after.slice(offset, offset + length);
    outside.fill(0, offset, offset + length);
  }
  // A call may change nothing but what it puts out.
  const changed = new Set(task.calls.flatMap(({ kernel, arguments: args }) => {
    const { out, acc }: Signature = KERNELS[kernel];
    return [...out, ...acc].map((name) => (args[name.replace("?", "")] as Tensor | null)?.offset);
  }));
  for (const name of names) {
    if (changed.has(tensors[name].offset)) continue;
    const bits = (data: Float32Array | Int32Array) => [...new Uint32Array(data.buffer, data.byteOffset, data.length)];
    assert.deepEqual(bits(results[name]), bits(contents[name]), `${name}, which is only read`);
  }
  const stray = after.findIndex((value, at) => outside[at] === 1 && !Number.isNaN(value));
  assert.equal(stray, -1, `${task.calls.map(({ kernel }) => kernel)} writes ${after[stray]} to ${stray}`);
  return results;
}

/** Numbers of rows (count, F), any number of steps, as groups (F, 8) that lie `ld` apart; what is no row's is `rest`. */
export function grouped(
  rows: readonly (readonly ArrayLike<number>[])[],
  { F, ld = 8 * F, rest = 0 }: { F: number; ld?: number; rest?: number },
): Float32Array<ArrayBuffer> {
  const groups = Math.ceil(rows[0]!.length / 8), data = new Float32Array(rows.length * groups * ld).fill(NaN);
  rows.forEach((step, t) => {
    for (let r = 0; r < 8 * groups; r++) {
      const start = (t * groups + (r >> 3)) * ld + (r & 7);
      for (let f = 0; f < F; f++) data[start + 8 * f] = step[r] ? step[r]![f]! : rest;
    }
  });
  return data;
}

/** Row r of step t of what `grouped` made, of `count` rows. */
export function rowOf(
  data: Float32Array,
  { t = 0, r, count, F, ld = 8 * F }: { t?: number; r: number; count: number; F: number; ld?: number },
): Float64Array<ArrayBuffer> {
  const start = (t * Math.ceil(count / 8) + (r >> 3)) * ld + (r & 7);
  return Float64Array.from({ length: F }, (_, f) => data[start + 8 * f]!);
}
