/**
 * Every function of the library with a wrong argument of each kind, one at a time: an error with a code or an answer, never
 * another error, a stray rejection or a changed model. What is exported and not in the table fails.
 */

import assert from "node:assert/strict";
import { series } from "./data/records.ts";
import * as library from "../mod.ts";

const { createModel, sampleDataset, Pipeline } = library;
const DATA = sampleDataset({ size: 20, steps: 3 }), CONFIG = { inputSize: 5, hiddenSize: 3, outputSize: 2 };
const model = await createModel({ ...CONFIG, loss: "bce" }, { seed: 1 });
const continuing = await createModel({ task: "seq2seq", sourceSize: 5, targetSize: 1, hiddenSize: 4 });
const STATE = await model.stateDict(), FILE = await library.modelFile(model);
const RECORDS = ["a", "b", "a", "b"].map((label, i) => series([[i], [1]], label));
const pipeline = Pipeline.fit(RECORDS as never);
const PROBABILITIES = { shape: [2, 2], data: Float32Array.of(0.9, 0.1, 0.2, 0.8) };
const METRICS = library.classificationMetrics(PROBABILITIES, Int32Array.of(0, 1));
const HISTORY = [{ epoch: 1, trainLoss: 1, trainAccuracy: 0.5 }];
const input = (text: string) => ({ name: "a.csv", stream: () => Promise.resolve(new Blob([text]).stream()) });

/** Arguments with which a function works. */
const CALLS: Record<string, () => unknown[]> = {
  balancedWeights: () => [Int32Array.of(0, 1, 1), 2],
  bleu: () => [["a b c d"], [["a b c d"]]],
  chrf: () => [["a b"], [["a b"]]],
  classificationMetrics: () => [PROBABILITIES, Int32Array.of(0, 1), {}],
  configFromStateDict: () => [STATE, {}],
  createModel: () => [CONFIG, { seed: 1 }],
  createHandler: () => [{ model: { model } }, {}],
  createPredictor: () => [model, {}],
  createTrainer: () => [model, {}],
  errorRate: () => [["a b"], ["a b"]],
  evaluate: () => [model, DATA, {}],
  exportModule: () => [FILE, {}],
  forecast: () => [continuing, { x: new Float32Array(15), shape: [1, 3, 5] }, { steps: 2 }],
  formatCheckpoint: () => [{ model }],
  formatConfusion: () => [{ labels: ["a", "b"], counts: [[1, 0], [0, 1]] }, {}],
  formatMetrics: () => [METRICS, {}],
  formatOf: () => ["a.csv"],
  hashDataset: () => [DATA],
  htmlReport: () => [{ title: "a", settings: [], history: HISTORY }],
  kFold: () => [20, 2],
  modelFile: () => [model, {}],
  describeModel: () => [FILE],
  parseCheckpoint: () => ["{}", "a.json"],
  plotHistory: () => [HISTORY, {}],
  predict: () => [model, { x: new Float32Array(15), shape: [1, 3, 5] }, {}],
  randomIndices: () => [5, [0.5, 0.5], 1],
  randomSplit: () => [DATA, [0.5, 0.5], 1],
  readTable: () => [input("a,b\n1,2\n"), {}],
  readRecords: () => [input("a,b,label\n1,2,x\n"), {}],
  regressionMetrics: () => [PROBABILITIES, PROBABILITIES, {}],
  restorePreprocessing: () => [pipeline.toJSON()],
  sampleDataset: () => [{ size: 5 }],
  summarize: () => [[1, 2]],
  train: () => [model, DATA, { epochs: 1 }],
  stratifiedSplit: () => [["a", "b", "a", "b"], [0.5, 0.5], 1],
  everyNth: () => [10, 2, ["a", ..."aaaaaaaaa"]],
  timeSplit: () => [10, [0.5, 0.5]],
  walkForward: () => [20, 2, {}],
  subset: () => [DATA, [0, 1], 3],
  ragged: () => [[[1, 2], [3]], 1],
  pickByError: () => [[1, 2, 3], 2],
  pickExamples: () => [["a", "b"], ["a", "a"], {}],
  summarizeMetrics: () => [[{ loss: 1, accuracy: 1 }]],
  writeNpy: () => [{ shape: [2], data: Float32Array.of(1, 2) }],
  writeNpz: () => [{ x: { shape: [2], data: Float32Array.of(1, 2) } }],
  writePt: () => [STATE, {}],
  writeSafetensors: () => [STATE, {}],
  writeModel: () => [FILE, "pt"],
  exportOnnx: () => [FILE, {}],
  modelFormat: () => [library.writeSafetensors(STATE)],
  modelFormatOf: () => ["a.pt"],
  errorCause: () => [new Error()],
  errorCode: () => [new Error()],
  readPt: () => [library.writePt(STATE), "a.pt"],
  readSafetensors: () => [library.writeSafetensors(STATE), "a.safetensors"],
  readModel: () => [library.writeModel(FILE, "pt"), "a.pt"],
  loadModel: () => [library.writeModel(FILE, "pt"), {}],
  crossValidate: () => [CONFIG, DATA, library.kFold(20, 2), { epochs: 1 }],
};

class Other {}
const WRONG: [string, unknown][] = [
  ["undefined", undefined],
  ["null", null],
  ["NaN", NaN],
  ["-1", -1],
  ["1.5", 1.5],
  ['""', ""],
  ["{}", {}],
  ["[]", []],
  ["another class", new Other()],
];

/** Functions whose arguments are not gone through here: those of files, searches and classes of data. */
const ELSEWHERE = [
  ..."DataLoader EventWriter ForecastPipeline PairLoader PairPipeline Pipeline RecordingWindows StepScaler Tokenizer Training createSearcher"
    .split(" "),
  ..."defineNetwork describeForecasts describePredictions exportSeq2SeqOnnx loadCheckpoint openFleet readLabelsTable readPairs readParallel saveCheckpoint sequenceMetrics"
    .split(" "),
];

const functions = Object.entries(library).filter(([, value]) => typeof value === "function").map(([name]) => name);

Deno.test("every function that is exported is gone through, here or elsewhere", () => {
  assert.deepEqual([...Object.keys(CALLS), ...ELSEWHERE].sort(), functions.sort());
});

/** Calls a function; what it makes is freed. */
async function call(name: string, args: unknown[]): Promise<void> {
  const made = await (library as unknown as Record<string, (...args: unknown[]) => unknown>)[name]!(...args);
  if (typeof made === "object" && made && Symbol.dispose in made) (made as Disposable)[Symbol.dispose]();
}

for (const [name, of] of Object.entries(CALLS)) {
  Deno.test(`${name}() with a wrong argument of each kind fails with a code, and changes no model`, async () => {
    if (name !== "parseCheckpoint") await call(name, of());
    await model.loadStateDict(STATE);
    for (let i = 0; i < of().length; i++) {
      for (const [what, value] of WRONG) {
        const args = of();
        args[i] = value;
        let failed = false;
        await call(name, args).catch((error: Error) => {
          failed = true;
          assert.ok(library.errorCode(error), `argument ${i + 1} is ${what}: ${error}`);
        });
        // Options that are left out, or empty, are none.
        if (failed) assert.deepEqual(await model.stateDict(), STATE, what);
        else await model.loadStateDict(STATE);
      }
    }
  });
}

Deno.test("a model that was disposed is refused with a code", async () => {
  const gone = await createModel(CONFIG);
  gone.dispose();
  for (const [name, of] of Object.entries(CALLS)) {
    const args = of();
    if (args[0] !== model) continue;
    args[0] = gone;
    await assert.rejects(call(name, args), (error) => library.errorCode(error) !== undefined, name);
  }
});
