/** What is said of the processes that train together. */

import { hashDataset } from "../data/hash.ts";
import { toHex } from "../engine.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { blockRows } from "../model/block.ts";
import { createModel, internalsOf, type StateDict } from "../model/model.ts";
import { batchSource } from "../train/batches.ts";
import { agree, type Facts } from "../train/together.ts";
import type { Training } from "../train/training.ts";
import { VERSION } from "../version.ts";
import { modelOptions } from "./faster_device.ts";
import type { TrainingData } from "./training_data.ts";
import type { TrainingRun } from "./training_run.ts";
import { plural } from "./words.ts";

/**
 * Makes sure that all processes score on the same data, before the first step.
 *
 * @throws {Error} In all of them alike, if not.
 */
export async function agreeOnTest(fleet: Fleet, data: TrainingData): Promise<void> {
  agree(fleet, { test: await hashOf(data.own?.test) });
}

/**
 * What processes must have alike that several trainings are dealt out to.
 *
 * @param first The first of the trainings.
 */
export async function factsOfSeveral({ job, data, start }: TrainingRun, seeds: number): Promise<Facts> {
  // Where files lie may differ from host to host, and so may threads.
  const { device, own, ...options } = job, about = { ...own, files: undefined };
  using model = await createModel({ inputSize: 1, hiddenSize: 1, outputSize: 1 }, {
    ...modelOptions(device),
    threads: 1,
  });
  return {
    trainings: JSON.stringify([seeds, own?.division]),
    version: VERSION,
    arithmetic: model.device.arithmetic,
    options: JSON.stringify([options, about]),
    data: await hashOf(data.train),
    validation: await hashOf(data.watched),
    test: await hashOf(data.own?.test),
    ...start && { parameters: await hashOfParameters(start.file.parameters) },
  };
}

/** The hash of data, if there are some. */
export async function hashOf(data: TrainingData["train"] | undefined): Promise<string> {
  return data ? await hashDataset(data) : "none";
}

async function hashOfParameters(parameters: StateDict): Promise<string> {
  const words: string[] = [];
  for (const [name, { shape, data }] of Object.entries(parameters)) {
    const hash = await crypto.subtle.digest("SHA-256", data as BufferSource);
    words.push(`${name} ${shape} ${toHex(new Uint8Array(hash))}`);
  }
  return words.join("\n");
}

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

/** Says, later, what it took to exchange gradients from here on: what processes waited for one another before is left out. */
export function exchangesFrom({ spent }: Fleet): () => string {
  const { ms, bytes } = spent, start = performance.now();
  return () => {
    const share = (spent.ms - ms) / (performance.now() - start), megabytes = ((spent.bytes - bytes) / 1e6).toFixed(1);
    return `${(100 * share).toFixed(1)} % of the time, waiting included; ${megabytes} MB received by each process`;
  };
}
