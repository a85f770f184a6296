import assert from "node:assert/strict";
import {
  createModel,
  createTrainer,
  type Dataset,
  type ModelConfig,
  randomSplit,
  sampleDataset,
  type StateDict,
  type TrainerState,
  Training,
  type TrainOptions,
} from "../../mod.ts";
import { Random } from "../../core/random.ts";

const CONFIG: ModelConfig = {
  inputSize: 5,
  hiddenSize: 8,
  outputSize: 2,
  numLayers: 2,
  dropout: 0.3,
  layerDropout: 0.2,
};
const [DATA, VALIDATION] = randomSplit(sampleDataset({ size: 90, steps: 4, seed: 1 }), [60, 30], 1) as [
  Dataset,
  Dataset,
];
const LENGTHS = Int32Array.from({ length: 60 }, (_, i) => 1 + i % 4);
const WEIGHTS = Float32Array.from({ length: 60 }, (_, i) => i % 3);

/** What training takes that came out of a JSON file. */
function stored<T>(value: T): T {
  return JSON.parse(JSON.stringify(value));
}

/** Bits of a state dict as JSON holds them. */
function pack(dict: StateDict): Record<string, { shape: readonly number[]; bits: number[] }> {
  return Object.fromEntries(
    Object.entries(dict).map(([name, { shape, data }]) => [name, { shape, bits: [...new Uint32Array(data.buffer)] }]),
  );
}

function unpack(dict: ReturnType<typeof pack>): StateDict {
  return Object.fromEntries(
    Object.entries(dict).map(([name, { shape, bits }]) => [
      name,
      { shape, data: new Float32Array(Uint32Array.from(bits).buffer) },
    ]),
  );
}

function packSlots({ step, slots }: TrainerState) {
  return { step, slots: Object.fromEntries(Object.entries(slots).map(([name, dict]) => [name, pack(dict)])) };
}

/** A training that is stopped after each of some updates of its own, and resumed from JSON in another model. */
async function outcome(data: Dataset, options: TrainOptions, stops: readonly number[]) {
  const { epochs, batchSize, shuffle, accumulate, schedule, monitor, earlyStopping, restoreBest, ...rest } = options;
  let held:
    | { state: string; model: ReturnType<typeof pack>; trainer: ReturnType<typeof packSlots>; best?: string }
    | undefined;
  let stopped = 0, done = 0;
  for (const stop of [...stops, Infinity]) {
    using model = await createModel(CONFIG, { seed: 5 });
    const { validation, ...own } = rest, trainer = createTrainer(model, own);
    if (held) {
      await model.loadStateDict(unpack(held.model));
      const { step, slots } = held.trainer;
      await trainer.loadState({
        step,
        slots: Object.fromEntries(Object.entries(slots).map(([name, dict]) => [name, unpack(dict)])),
      });
    }
    const abort = new AbortController();
    const training: Training = new Training(model, data, {
      ...stored({ epochs, batchSize, shuffle, accumulate, schedule, monitor, earlyStopping, restoreBest }),
      validation,
      trainer,
      signal: abort.signal,
      onBatch: () => ++done === stop && abort.abort("stop"),
      ...held && {
        state: JSON.parse(held.state),
        bestParameters: held.best === undefined ? undefined : unpack(JSON.parse(held.best)),
      },
    });
    try {
      const history = await training.run();
      return {
        stopped,
        history,
        parameters: pack(await model.stateDict()),
        trainer: packSlots(await trainer.state()),
        best: training.bestParameters && pack(training.bestParameters),
        early: training.stoppedEarly,
      };
    } catch (error) {
      assert.equal(error, "stop");
      stopped++;
      const best = training.bestParameters;
      held = {
        state: JSON.stringify(training.state),
        model: stored(pack(await model.stateDict())),
        trainer: stored(packSlots(await trainer.state())),
        best: best && JSON.stringify(pack(best)),
      };
      const { epoch, batch } = training.state, length = Math.ceil(data.shape[0]! / training.options.batchSize);
      assert.ok(batch % training.options.accumulate === 0 || batch === length, `stopped in an update: ${batch}`);
      // Batches of an update that was completed after the stop are done, too.
      done = epoch * length + batch;
    }
  }
  throw new Error("never reached");
}

const QUICK: TrainOptions = { epochs: 6, batchSize: 8, optimizer: { learningRate: 1e-2 }, clipNorm: 1 };
const CASES: Record<string, { options: TrainOptions; data?: Dataset }> = {
  "nothing more": { options: QUICK },
  "a schedule of epochs": { options: { ...QUICK, schedule: { name: "step", stepSize: 2, warmupSteps: 11 } } },
  "a schedule of updates": { options: { ...QUICK, schedule: { name: "cosine", interval: "update", etaMin: 1e-4 } } },
  "a schedule by plateaus": {
    options: { ...QUICK, validation: VALIDATION, schedule: { name: "plateau", patience: 0, threshold: 0.2 } },
  },
  "several batches per update": { options: { ...QUICK, batchSize: 7, accumulate: 4 } },
  "one update per epoch": { options: { ...QUICK, accumulate: 99, optimizer: { name: "sgd", momentum: 0.9 } } },
  "lengths, weights, schedule and several batches per update": {
    options: {
      ...QUICK,
      accumulate: 3,
      loss: "crossEntropy",
      classWeights: [1, 3],
      schedule: { name: "cosine", interval: "update", warmupSteps: 3 },
    },
    data: {
      ...DATA,
      targets: Int32Array.from({ length: 60 }, (_, i) => DATA.targets[2 * i] ? 0 : 1),
      lengths: LENGTHS,
      weights: WEIGHTS,
    },
  },
  "early stopping and the best weights": {
    options: {
      ...QUICK,
      epochs: 40,
      accumulate: 2,
      optimizer: { learningRate: 5e-2 },
      validation: VALIDATION,
      earlyStopping: { patience: 3 },
    },
  },
};

for (const [name, { options, data = DATA }] of Object.entries(CASES)) {
  Deno.test(`training stopped anywhere, stored as JSON and resumed gives the same bits: ${name}`, async () => {
    const { stopped: _, ...whole } = await outcome(data, options, []);
    const random = new Random(3, "split"),
      batches = whole.history.length * Math.ceil(data.shape[0]! / options.batchSize!);
    for (let run = 0; run < 4; run++) {
      const stops = [...new Set(Array.from({ length: 3 }, () => 1 + random.below(batches)))].sort((a, b) => a - b);
      const { stopped, ...resumed } = await outcome(data, options, stops);
      assert.ok(stopped > 0 && stopped <= stops.length);
      assert.deepEqual(resumed, whole, `stopped after batches ${stops}`);
    }
    if (name.startsWith("early")) assert.ok(whole.early && whole.history.length < 40 && whole.best);
  });
}
