/**
 * What a training step asks of a GPU at the five sizes of scripts/bench/work.ts: dispatches, and the workgroups of those
 * that are short of them. It needs no GPU.
 *
 *     deno run --allow-read --allow-sys scripts/bench/dispatches.ts
 *
 * @module
 */

import { type Dispatch, encode } from "../../core/device/webgpu.ts";
import { resolveConfig } from "../../core/model/config.ts";
import { Network } from "../../core/model/network.ts";
import { makePlan } from "../../core/model/programs.ts";
import { resolveOptimizer, updateCalls } from "../../core/train/optimizer.ts";
import { commandLine } from "../command_line.ts";
import { markdown } from "./report.ts";
import { configOf, type Size, SIZES } from "./work.ts";

/** What every adapter allows. */
const LIMITS = { maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupStorageSize: 16384 };

/** The dispatches of a training step with Adam and clipping by the norm, in order. */
export function stepDispatches(size: Size): Dispatch[] {
  const { B, T } = size, network = new Network(resolveConfig(configOf(size)));
  const update = updateCalls(resolveOptimizer({ name: "adam" }), { clipNorm: 1 });
  const plan = makePlan(network, {
    B,
    T,
    purpose: "step",
    h0: false,
    loss: "bce",
    update,
    parallelFrom: Infinity,
    wholeBatch: true,
  });
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
