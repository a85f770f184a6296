/**
 * Bytes of gradients that each process receives in a step, as a multiple of what it receives in a ring, 2·P·(N − 1)/N: by the
 * transfers of a plan.
 *
 *     deno task fleet:bytes
 *
 * @module
 */

import { Arena } from "../../core/device/arena.ts";
import { layOutShare, shareSteps } from "../../core/model/share.ts";
import { commandLine } from "../command_line.ts";

/** Numbers in all gradients. */
const P = 96_000;

/** The most that one of N processes receives of the gradients of so many blocks, as a multiple of a ring's. */
export function overRing(size: number, blocks: number): number {
  const received = Array.from({ length: size }, (_, rank) => {
    const share = layOutShare({ rank, size }, blocks, P, new Arena());
    const gradient = new Arena().allocate(P), parts = new Arena().allocate(P * blocks);
    let sum = 0;
    for (const step of shareSteps(share, [], { parts, stride: P, gradient, rows: [] })) {
      if (!("counts" in step || "gets" in step)) continue;
      const counts = "gets" in step ? step.gets : step.counts;
      counts.forEach((count, from) => sum += from === rank ? 0 : count);
    }
    return sum;
  });
  return Math.max(...received) / (2 * P * (size - 1) / size);
}

if (import.meta.main) {
  commandLine("deno task fleet:bytes", "Bytes of gradients as a multiple of a ring's.", {});
  const all = [4, 8, 16, 32, 64];
  console.log(`${"processes".padEnd(10)}${all.map((blocks) => `${blocks} blocks`.padStart(11)).join("")}`);
  for (let size = 2; size <= 8; size++) {
    const row = all.map((blocks) => blocks < size ? "" : overRing(size, blocks).toFixed(2));
    console.log(`${String(size).padEnd(10)}${row.map((text) => text.padStart(11)).join("")}`);
  }
}
