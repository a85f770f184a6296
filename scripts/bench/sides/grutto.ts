/**
 * Grutto as a side of the benchmarks: see scripts/bench/protocol.ts.
 *
 * @module
 */

import { createModel, createPredictor, createTrainer, predict, VERSION } from "../../../mod.ts";
import { type Predictor, serve, type Trainee } from "../protocol.ts";
import { configOf, type Work, workOf } from "../work.ts";

const versions = { grutto: VERSION, deno: Deno.version.deno, v8: Deno.version.v8 };

/** The largest memory that a WebAssembly program of this process had, in bytes. */
let webAssembly = 0;
const { Memory } = WebAssembly;
WebAssembly.Memory = class extends Memory {
  constructor(descriptor: WebAssembly.MemoryDescriptor) {
    super(descriptor);
    webAssembly = Math.max(webAssembly, this.buffer.byteLength);
  }
};

async function modelOf({ size, parameters }: Pick<Work, "size" | "parameters">, threads: number) {
  const model = await createModel(configOf(size), { threads });
  await model.loadStateDict(parameters);
  return model;
}

async function train(work: Work, threads: number): Promise<Trainee> {
  const model = await modelOf(work, threads), trainer = createTrainer(model);
  const { size: { B, T, I }, x, targets } = work, sequences = { x, shape: [B, T, I] };
  let last = NaN;
  return {
    // Which instructions are faster is found out when there is something to run.
    get about() {
      return model.device.description;
    },
    versions,
    async gradients() {
      const { loss, parameters } = await model.gradients(sequences, targets, { loss: "bce" });
      return { loss, gradients: Object.fromEntries(Object.entries(parameters).map(([name, p]) => [name, p.data])) };
    },
    async step() {
      last = (await trainer.step(sequences, targets)).loss;
    },
    loss: () => last,
    memory: () => ({ webAssembly }),
    async digest() {
      const numbers = Object.values(await model.stateDict()).map(({ data }) => data);
      const bytes = new Uint8Array(await new Blob(numbers).arrayBuffer());
      return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    },
  };
}

async function predictor(work: Omit<Work, "targets">, threads: number): Promise<Predictor> {
  const model = await modelOf(work, threads), { size: { B, T, I }, x } = work;
  const all = { x, shape: [B, T, I] }, one = x.slice(0, T * I), awaited = { x: one, shape: [1, T, I] };
  const single = await createPredictor(model, { loss: "bce" });
  return {
    about: model.device.description,
    versions,
    probabilities: async () => (await predict(model, all, { loss: "bce" })).probabilities.data,
    calls: {
      single: () => single.predict(one),
      "single, awaited": () => predict(model, awaited, { loss: "bce" }),
      batch: () => predict(model, all, { loss: "bce" }),
    },
  };
}

await serve({ train, make: async (size, threads) => train(await workOf(size), threads), predict: predictor });
