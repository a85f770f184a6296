/**
 * The kernel calls of a training step, each by itself: what scripts/bench/kernels.ts and kernels_bench.ts time.
 *
 * @module
 */

import type { Call, KernelName } from "../../core/device/kernels.ts";
import type { Simd } from "../../core/device/device.ts";
import { WasmDevice } from "../../core/device/wasm.ts";
import { LOGITS } from "../../core/model/config.ts";
import { controlWords, resolveOptimizer } from "../../core/train/optimizer.ts";
import { seedWords } from "../../core/random.ts";
import { type Size, stepPlan, workOf } from "./work.ts";

/** A call of a kernel with its arguments in place. */
export interface KernelCall {
  readonly kernel: KernelName;
  /** Its dimensions and scalars by name. */
  readonly numbers: Readonly<Record<string, number>>;
  /** Calls it. */
  run(): void;
}

/** The calls of a step, in order; each works on what those before it left, so only whole passes mean anything. */
export interface StepCalls {
  readonly calls: readonly KernelCall[];
  /** Does what a call does around the kernel: to be taken off the times. */
  empty(): void;
  /** What it runs on. */
  readonly description: string;
}

/** The calls of a training step with Adam: packing, forward, backward, update; all on this thread. */
export async function stepCalls(size: Size, simd: Simd = "auto"): Promise<StepCalls> {
  const { B, T } = size, work = await workOf(size), optimizer = resolveOptimizer({});
  const { net: { store }, plan } = stepPlan(size, optimizer, { parallelFrom: Infinity });
  const calls: Call[] = [...plan.pack, ...plan.main].flat(2);
  const programs = [...calls.map((call) => [[[call]]]), [[[]]]];
  const device = await WasmDevice.open(1, simd);
  device.load({ ...plan, programs }, 0);
  const values = new Float32Array(store.paddedSize);
  for (const { name, offset } of store.layout.list) values.set(work.parameters[name]!.data, offset);
  device.write(store.values, values);
  for (const slot of store.slots) device.write(slot, new Float32Array(slot.length));
  device.write(store.control, controlWords(optimizer, seedWords(1), 0));
  device.write(plan.io.get("x")!, work.x);
  device.write(plan.io.get("@lengths")!, new Int32Array(B).fill(T));
  device.write(plan.io.get(`@${LOGITS}.targets`)!, work.targets);
  const numbersOf = ({ arguments: args }: Call) =>
    Object.fromEntries(Object.entries(args).filter((entry): entry is [string, number] => typeof entry[1] === "number"));
  return {
    calls: calls.map((call, i) => ({
      kernel: call.kernel,
      numbers: numbersOf(call),
      run: () => void device.run(programs[i]!),
    })),
    empty: () => void device.run(programs.at(-1)!),
    description: device.description,
  };
}
