/**
 * What a training step asks of a GPU at the five sizes of scripts/bench/work.ts: dispatches, and the workgroups of those
 * that are short of them. It needs no GPU.
 *
 *     deno run --allow-read --allow-sys scripts/bench/dispatches.ts
 *
 * @module
 */

import { type Dispatch, encode } from "../../core/device/webgpu.ts";
import { resolveOptimizer } from "../../core/train/optimizer.ts";
import { commandLine } from "../command_line.ts";
import { markdown } from "./report.ts";
import { type Size, SIZES, stepPlan } from "./work.ts";

/** What every adapter allows. */
const LIMITS = { maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupStorageSize: 16384 };

/** The dispatches of a training step with Adam and clipping by the norm, in order. */
export function stepDispatches(size: Size): Dispatch[] {
  const options = { clipNorm: 1, parallelFrom: Infinity, wholeBatch: true };
  const { plan } = stepPlan(size, resolveOptimizer({ name: "adam" }), options);
  const { programs } = encode(plan, LIMITS);
  return [plan.pack, plan.main].flatMap((program) => [...programs.get(program)!]);
}

/** Workgroups that leave most of a large GPU idle, for work that grows with the model or the batch. */
const FEW = 8;

if (import.meta.main) {
  const command = "deno run --allow-read --allow-sys scripts/bench/dispatches.ts";
  commandLine(command, "What a training step asks of a GPU at the five sizes.", {});
  const rows = [[
    "size",
    "B, T, I, H, layers",
    "dispatches",
    "of a single step of a GRU",
    `with fewer than ${FEW} workgroups`,
  ]];
  for (const [name, size] of Object.entries(SIZES)) {
    const all = stepDispatches(size), { B, T, I, H, layers } = size;
    const few = all.filter(({ workgroups, calls }) => workgroups * calls < FEW).map(({ entry }) => entry);
    const count = (entries: Dispatch[]) => entries.reduce((sum, { times }) => sum + times, 0);
    const single = count(all.filter(({ times }) => times > 1));
    const names = [...new Set(few)].map((entry) => {
      const n = few.filter((other) => other === entry).length;
      return n > 1 ? `${n} ${entry}` : entry;
    });
    rows.push([name, [B, T, I, H, layers].join(", "), `${count(all)}`, `${single}`, names.join(", ")]);
  }
  console.log(markdown(rows));
}
