/** What is said of the processes that train together. */

import type { Fleet } from "../fleet/fleet.ts";
import { blockRows } from "../model/block.ts";
import { internalsOf } from "../model/model.ts";
import { batchSource } from "../train/batches.ts";
import type { Training } from "../train/training.ts";
import { plural } from "./words.ts";

/** More sequences than any block has. */
const MANY = 2 ** 30;

/** What is said where a batch has fewer blocks than there are processes: at most one note. */
export function idleNotes({ model, dataset, options: { batchSize } }: Training, { size }: Fleet): string[] {
  const internals = internalsOf(model), { largest } = batchSource(internals, "train", dataset, { batchSize });
  const { B, T } = largest, rows = blockRows(internals.session.net.work, MANY, T);
  const blocks = Math.ceil(B / rows), idle = size - blocks;
  if (idle <= 0) return [];
  const is = blocks === 1 ? "is 1 block" : `is ${blocks} blocks`;
  const have = idle === 1 ? "1 of the processes has" : `${idle} of ${size} processes have`;
  return [`a batch of ${B} ${is}: ${have} nothing to do; --batch-size ${rows * size} keeps all busy`];
}

/** How many processes train: "2 processes × 1 thread on 1 host, Open MPI 4.1.4". */
export function processesWords({ size, hosts, library }: Fleet, device: string): string {
  const threads = /(up to )?\d+ threads?/.exec(device)?.[0] ?? "1 thread";
  return `${plural(size, "process", "processes")} × ${threads} on ${plural(new Set(hosts).size, "host")}, ${library}`;
}

/** What it took to exchange gradients. */
export function exchangeWords({ spent: { ms, bytes } }: Fleet, seconds: number): string {
  const megabytes = (bytes / 1e6).toFixed(1);
  return `${(ms / seconds / 10).toFixed(1)} % of the time, waiting included; ${megabytes} MB received by each process`;
}
