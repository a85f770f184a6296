/** Runs plans whose blocks several processes compute. */

import type { Device } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import { type Fleet, startsOf } from "../fleet/fleet.ts";
import type { ModelPlan } from "./plan.ts";

/** Where a plan runs, and whether this process is to stop. */
interface Place {
  readonly device: Device;
  readonly fleet: Fleet;
  readonly stops: boolean;
}

/** Runs a plan with the others. Returns whether one of them is to stop: the same in all. */
export async function runShared(plan: ModelPlan, place: Place): Promise<boolean> {
  const { device, fleet } = place, bytes = (tensor: Tensor) => bytesOf(device.view!(tensor));
  for (const step of plan.shared!) {
    if ("sent" in step) fleet.exchange(bytes(step.sent), four(step.sends), bytes(step.received), four(step.gets));
    else if ("all" in step) fleet.gather(bytes(step.all), four(step.counts));
    else await device.run(step);
  }
  return gatherStats(plan, place);
}

/** The losses of all blocks, and whether one of the processes is to stop: few numbers, in one message. */
function gatherStats({ io, blocks, bounds }: ModelPlan, { device, fleet, stops }: Place): boolean {
  const stats = device.view!(io.get("@stats")!), losses = stats.length / (2 * blocks);
  const counts = bounds.slice(1).map((end, r) => 1 + 2 * losses * (end - bounds[r]!)), starts = startsOf(counts);
  const all = new Float32Array(starts.at(-1)! + counts.at(-1)!);
  const each = (r: number, copy: (own: Float32Array, packed: Float32Array) => void) => {
    const first = 2 * bounds[r]!, n = 2 * bounds[r + 1]! - first;
    for (let l = 0; l < losses; l++) {
      const from = 2 * l * blocks + first, at = starts[r]! + 1 + l * n;
      copy(stats.subarray(from, from + n), all.subarray(at, at + n));
    }
  };
  all[starts[fleet.rank]!] = Number(stops);
  each(fleet.rank, (own, packed) => packed.set(own));
  fleet.gather(bytesOf(all), four(counts));
  counts.forEach((_, r) => each(r, (own, packed) => own.set(packed)));
  return starts.some((start) => all[start] === 1);
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Numbers as bytes. */
function four(counts: readonly number[]): number[] {
  return counts.map((count) => 4 * count);
}
