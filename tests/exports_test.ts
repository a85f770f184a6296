/**
 * Every function of the library, and every method of its classes and of what functions return, with a wrong argument of
 * each kind, one at a time: an error with a code or an answer, never another error, a stray rejection or a changed model.
 * Options that do not exist are refused, and those that an object inherits count. What is exported and not in the tables fails.
 */

import assert from "node:assert/strict";
import { series } from "./data/records.ts";
import * as library from "../mod.ts";

const { createModel, sampleDataset, ForecastPipeline, PairPipeline, Pipeline, StepScaler, Tokenizer } = library;
const DATA = sampleDataset({ size: 20, steps: 3 }), CONFIG = { inputSize: 5, hiddenSize: 3, outputSize: 2 };
const model = await createModel({ ...CONFIG, loss: "bce" }, { seed: 1 });
const continuing = await createModel({ task: "seq2seq", sourceSize: 5, targetSize: 1, hiddenSize: 4 });
const TOKENS = { sourceTokens: 6, sourceSize: 3, targetTokens: 6, targetSize: 3 } as const;
const answering = await createModel({ task: "seq2seq", ...TOKENS, hiddenSize: 4 });
const STATE = await model.stateDict(), FILE = await library.modelFile(model);
const ANSWERING = await library.modelFile(answering);
const RECORDS = ["a", "b", "a", "b"].map((label, i) => series([[i], [1]], label));
const pipeline = Pipeline.fit(RECORDS as never), { inputSize, outputSize } = pipeline;
const labelling = await createModel({ inputSize, hiddenSize: 3, outputSize, loss: pipeline.loss });
const TABLE = {
  name: "t.csv",
  columns: ["a"],
  values: [Float64Array.from({ length: 30 }, (_, i) => Math.sin(i))],
  rows: 30,
};
const forecasts = ForecastPipeline.fit(TABLE, { targetColumns: ["a"], window: 4 }), WINDOWS = forecasts.dataset(TABLE);
const forecasting = await createModel({ inputSize: 1, hiddenSize: 3, outputSize: 1, loss: "mse" });
const PAIRS = ["ab", "aab"].map((source, i) => ({ source, target: source + source, place: `p.tsv, line ${i + 1}` }));
const pairs = PairPipeline.fit(PAIRS);
const tokenizer = Tokenizer.fit(["low lower"], { unit: "words" }, 4);
const STEPS = [{ steps: [[1, 10], [3, 30]], place: "s.jsonl, line 1" }], scaler = StepScaler.fit(STEPS, "y");
const PROBABILITIES = { shape: [2, 2], data: Float32Array.of(0.9, 0.1, 0.2, 0.8) };
const METRICS = library.classificationMetrics(PROBABILITIES, Int32Array.of(0, 1));
const HISTORY = [{ epoch: 1, trainLoss: 1, trainAccuracy: 0.5 }];
const input = (text: string) => ({ name: "a.csv", stream: () => Promise.resolve(new Blob([text]).stream()) });
const BATCH = { x: new Float32Array(30), shape: [2, 3, 5] }, TARGETS = Float32Array.of(0, 1, 1, 0);
const RAGGED = { sources: library.ragged([[2, 3], [3]]), targets: library.ragged([[4, 3], [5, 3]]) };
const PATH = await Deno.makeTempFile({ suffix: ".json" });
await library.saveCheckpoint(PATH, { model });
const TEXT = await library.formatCheckpoint({ model, training: new library.Training(model, DATA, { epochs: 2 }) });

/** Arguments with which a function works. */
const CALLS: Record<string, () => unknown[]> = {
  balancedWeights: () => [Int32Array.of(0, 1, 1), 2],
  bleu: () => [["a b c d"], [["a b c d"]], { tokenize: "none" }],
  chrf: () => [["a b"], [["a b"]]],
  classificationMetrics: () => [PROBABILITIES, Int32Array.of(0, 1), {}],
  configFromStateDict: () => [STATE, {}],
  createModel: () => [CONFIG, { seed: 1 }],
  createHandler: () => [{ model: { model } }, {}],
  createPredictor: () => [model, {}],
  createTrainer: () => [model, {}],
  errorRate: () => [["a b"], [["a b"]]],
  evaluate: () => [model, DATA, {}],
  exportModule: () => [FILE, {}],
  forecast: () => [continuing, { x: new Float32Array(15), shape: [1, 3, 5] }, { steps: 2 }],
  formatCheckpoint: () => [{ model }],
  formatConfusion: () => [{ labels: ["a", "b"], counts: [[1, 0], [0, 1]] }, {}],
  formatMetrics: () => [METRICS, {}],
  formatOf: () => ["a.csv"],
  hashDataset: () => [DATA],
  htmlReport: () => [{ title: "a", settings: [], history: HISTORY }],
  kFold: () => [20, 2, 1, { shuffle: false }],
  modelFile: () => [model, {}],
  describeModel: () => [FILE],
  parseCheckpoint: () => [TEXT, "a.json", { threads: 1 }],
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
  loadModel: () => [library.writeModel(FILE, "pt"), { name: "a.pt" }],
  crossValidate: () => [CONFIG, DATA, library.kFold(20, 2), { epochs: 1 }],
  createSearcher: () => [answering, { decoder: "decoder" }],
  defineNetwork: () => [({ linear, mean, numbers }: library.Layers) => linear("fc", mean(numbers("x", 3)), 2)],
  describeForecasts: () => [forecasting, forecasts, TABLE, [10, 30], { examples: 2 }],
  describePredictions: () => [labelling, pipeline, RECORDS, { examples: 2 }],
  exportSeq2SeqOnnx: () => [ANSWERING],
  loadCheckpoint: () => [PATH, { threads: 1 }],
  openFleet: () => [{ library: "/no/such/library.so" }],
  readLabelsTable: () => [input("id,label\na,x\n"), "id", { encoding: "utf-8" }],
  readPairs: () => [input("source,target\na,b\n"), { header: true }],
  readParallel: () => [input("a\n"), input("b\n"), { encoding: "utf-8" }],
  saveCheckpoint: () => [PATH, { model }],
  sequenceMetrics: () => [[["a"]], [[["a"]]], { tokenize: "none" }],
};

const predictor = await library.createPredictor(model), stream = predictor.stream();
const answers = await library.createPredictor(answering), continued = await library.createPredictor(continuing);
const searcher = await library.createSearcher(answering), handler = library.createHandler({ model: { model } });
const trained = await createModel({ ...CONFIG, loss: "bce" }, { seed: 2 });
const trainer = library.createTrainer(trained), loaded = await library.parseCheckpoint(TEXT);
const training = new library.Training(trained, DATA, { trainer });
const windows = new library.RecordingWindows({ window: 2 }), events = new library.EventWriter();
const loader = new library.DataLoader(DATA), pairLoader = new library.PairLoader(RAGGED);

const AMOUNTS = [0.5, 1, 1.5, 2].map((label, i) => series([[i], [1]], String(label)));
const amounts = Pipeline.fit(AMOUNTS as never, { task: "regression" });

/** What all pipelines of sequences do. */
const PREPARED = {
  tokens: () => ["ab"],
  unknownTokens: () => [AMOUNTS],
  keeps: () => [AMOUNTS[0]],
  dataset: () => [AMOUNTS],
  sequences: () => [AMOUNTS],
  parts: () => [AMOUNTS],
};

/** Classes and objects with methods, each with arguments with which they work; "new": the constructor. */
const METHODS: readonly [name: string, of: object, methods: Record<string, () => unknown[]>][] = [
  ["DataLoader", library.DataLoader, { new: () => [DATA, { batchSize: 4 }] }],
  ["loader", loader, { batches: () => [0] }],
  ["PairLoader", library.PairLoader, { new: () => [RAGGED, { batchSize: 4 }] }],
  ["pair loader", pairLoader, { batches: () => [0] }],
  ["EventWriter", library.EventWriter, { new: () => [{ accuracy: true }], fileName: () => [1, "x"] }],
  ["events", events, { header: () => [1, 2], scalars: () => [1, 2, { a: 1 }], epoch: () => [HISTORY[0], 2] }],
  ["ForecastPipeline", ForecastPipeline, {
    fit: () => [TABLE, { targetColumns: ["a"], window: 4 }, [0, 20]],
    from: () => [forecasts.toJSON()],
  }],
  ["forecasts", forecasts, {
    dataset: () => [TABLE, [0, 20]],
    inputs: () => [TABLE, 20],
    decode: () => [Float32Array.of(1), WINDOWS, 0],
    values: () => [new Float32Array(26), WINDOWS],
    score: () => [{ shape: [26, 1], data: new Float32Array(26) }, WINDOWS, { quantiles: undefined }],
    persistence: () => [WINDOWS],
    seasonal: () => [TABLE, forecasts.dataset(TABLE, [10, 30]), 2],
  }],
  ["PairPipeline", PairPipeline, { fit: () => [PAIRS, { minCount: 1 }], from: () => [pairs.toJSON()] }],
  ["pairs", pairs, {
    dataset: () => [PAIRS],
    start: () => [PAIRS],
    sources: () => [PAIRS],
    split: () => ["ab"],
    unknown: () => ["source", "ab"],
    groups: () => [PAIRS],
    tokens: () => [{ tokens: [4, 5], aligned: [0, 1] }, ["a", "b"]],
    text: () => [["a", "b"]],
    score: () => [[["a"]], [[["a"]]]],
    checkSizes: () => ["train", { source: { size: 4, tokens: true }, target: { size: 6, tokens: true } }],
  }],
  ["Pipeline", Pipeline, { fit: () => [RECORDS, { task: "binary" }], from: () => [pipeline.toJSON()] }],
  ["pipeline", pipeline, {
    ...PREPARED,
    dataset: () => [RECORDS],
    values: () => [new Float32Array(outputSize)],
    decode: () => [new Float32Array(outputSize)],
    score: () => [
      { shape: [4, outputSize], data: new Float32Array(4 * outputSize) },
      pipeline.dataset(RECORDS as never),
      { quantiles: undefined },
    ],
  }],
  ["amounts", amounts, {
    ...PREPARED,
    decode: () => [Float32Array.of(1)],
    values: () => [Float32Array.of(1, 2)],
    score: () => [{ shape: [4, 1], data: new Float32Array(4) }, amounts.dataset(AMOUNTS as never), {}],
  }],
  ["RecordingWindows", library.RecordingWindows, { new: () => [{ window: 2, stride: 1 }] }],
  ["windows", windows, { of: () => [RECORDS[0]] }],
  ["StepScaler", StepScaler, { fit: () => [STEPS, "y", true], from: () => [scaler.toJSON(), "scaler"] }],
  ["scaler", scaler, { scaled: () => [STEPS[0], "y"], values: () => [Float32Array.of(0, 0), 1] }],
  ["Tokenizer", Tokenizer, {
    fit: () => [["low lower"], { unit: "words" }, 4],
    from: () => [tokenizer.toJSON(), "tokenizer", 4],
  }],
  ["tokenizer", tokenizer, {
    from: () => [4],
    split: () => ["low"],
    number: () => ["low"],
    token: () => [4],
    text: () => [["low"]],
  }],
  ["Training", library.Training, { new: () => [model, DATA, { epochs: 1 }] }],
  ["training", training, { atUpdate: () => [() => {}] }],
  ["model", model, {
    forward: () => [BATCH, { values: [] }],
    gradients: () => [BATCH, TARGETS, { weights: Float32Array.of(1, 1) }],
    loadStateDict: () => [STATE],
  }],
  ["trainer", trainer, {
    step: () => [BATCH, TARGETS, { weights: Float32Array.of(1, 1), learningRate: 0.1 }],
    begin: () => [BATCH, TARGETS, { update: true }],
    replay: () => [BATCH, TARGETS, { step: 0, rows: 0 }],
    checkFits: () => [[2, 3], "step", false],
    loadState: () => [OPTIMIZER],
  }],
  ["predictor", predictor, { predict: () => [new Float32Array(15), {}] }],
  ["stream", stream, { push: () => [new Float32Array(5), {}] }],
  ["answers", answers, {
    search: () => [Int32Array.of(2, 3), { maxLength: 3, width: 2 }],
    forecast: () => [Int32Array.of(2, 3), { steps: 2 }],
  }],
  ["continued", continued, {
    search: () => [new Float32Array(10), { width: 2 }],
    forecast: () => [new Float32Array(10), { steps: 2 }],
  }],
  ["searcher", searcher, { search: () => [{ x: Int32Array.of(2, 3), shape: [1, 2, 1] }, { maxLength: 3, width: 2 }] }],
  ["loaded", loaded, { resume: () => [DATA, { epochs: 3 }] }],
  ["handler", { answer: handler }, { answer: () => [new Request("http://localhost/v2")] }],
];
const OPTIMIZER = await trainer.state();

/** Models that no failure may change, with their parameters. */
const WATCHED = [[model, STATE], [trained, await trained.stateDict()]] as const;

class Other {}
function detached(): Float32Array {
  const array = new Float32Array(30);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}
function shrunk(): Float32Array {
  const buffer = new ArrayBuffer(120, { maxByteLength: 240 }), array = new Float32Array(buffer, 0, 30);
  buffer.resize(8);
  return array;
}
const holes = (): number[] => {
  const list = [1, 2, 3];
  delete list[1];
  return list;
};

/** Wrong arguments, made anew for each call. */
const WRONG: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  NaN: () => NaN,
  "-1": () => -1,
  "1.5": () => 1.5,
  "-0": () => -0,
  Infinity: () => Infinity,
  "2 ** 53": () => 2 ** 53,
  "10n": () => 10n,
  '""': () => "",
  '"no/such"': () => "no/such",
  true: () => true,
  "a symbol": () => Symbol("s"),
  "a function": () => () => 1,
  "{}": () => ({}),
  "[]": () => [],
  "another class": () => new Other(),
  "an object without a prototype": () => Object.create(null),
  "a date": () => new Date(0),
  "a map": () => new Map([[1, 2]]),
  "a promise": () => Promise.resolve(1),
  "a list with a hole": holes,
  "[null]": () => [null],
  "[[null]]": () => [[null]],
  "[NaN]": () => [NaN],
  "[{}]": () => [{}],
  '[""]': () => [""],
  "[1n]": () => [1n],
  "a list of a symbol": () => [Symbol("s")],
  "what has a length": () => ({ length: 2 ** 40 }),
  "a detached array": detached,
  "an array out of bounds": shrunk,
  "a Float64Array": () => new Float64Array(30),
  "a BigInt64Array": () => new BigInt64Array(30),
  "an array of shared memory": () => new Float32Array(new SharedArrayBuffer(120)),
  "a DataView": () => new DataView(new ArrayBuffer(8)),
  "an ArrayBuffer": () => new ArrayBuffer(8),
};

type Call = (...args: never[]) => unknown;

/** What is called, by name, each with its arguments. */
const ALL: readonly (readonly [name: string, call: Call, args: () => unknown[]])[] = [
  ...Object.entries(CALLS).map(([name, args]) =>
    [name, (library as unknown as Record<string, Call>)[name]!, args] as const
  ),
  ...METHODS.flatMap(([name, of, methods]) =>
    Object.entries(methods).map(([method, args]) => {
      const Class = of as new (...args: unknown[]) => unknown, object = of as Record<string, Call>;
      const call = method === "new"
        ? (...own: never[]) => new Class(...own)
        : (...own: never[]) => object[method]!.call(of as never, ...own);
      return [`${name}.${method}`, call, args] as const;
    })
  ),
];

/** What cannot be called well: there is no such library, a decoder says either tokens or numbers, and classes are no values. */
const NEVER = ["openFleet", "answers.forecast", "continued.search", "pipeline.values"];

/** Calls a function; what it yields is read, what it makes is freed. */
async function call(of: Call, args: unknown[]): Promise<void> {
  const made = await of(...args as never[]);
  if (typeof made !== "object" || made === null) return;
  if (Symbol.asyncIterator in made) { for await (const _ of made as AsyncIterable<unknown>); }
  else if (Symbol.iterator in made && "next" in made) { for (const _ of made as Iterable<unknown>); }
  if (Symbol.dispose in made) (made as Disposable)[Symbol.dispose]();
}

const functions = Object.entries(library).filter(([, value]) => typeof value === "function").map(([name]) => name);
const isClass = (name: string) => /^class\b/.test(String(library[name as keyof typeof library]));
/** Methods that take something. */
const methodsOf = (of: object) =>
  Object.entries(Object.getOwnPropertyDescriptors(of))
    .filter(([name, { value }]) => name !== "constructor" && typeof value === "function" && value.length > 0)
    .map(([name]) => name);

Deno.test("every function and class that is exported is gone through, with all its methods", () => {
  const classes = functions.filter(isClass);
  assert.deepEqual(Object.keys(CALLS).sort(), functions.filter((name) => !isClass(name)).sort());
  for (const name of classes) {
    const Class = library[name as "Pipeline"], known = METHODS.filter(([, of]) => of === Class || of instanceof Class);
    const named = new Set(known.flatMap(([, , methods]) => Object.keys(methods)).filter((method) => method !== "new"));
    const has = new Set([...methodsOf(Class), ...methodsOf(Class.prototype)]);
    assert.deepEqual([...named].sort(), [...has].sort(), name);
  }
  for (const [name, of, methods] of METHODS) {
    if (typeof of === "function") continue;
    const has = methodsOf(Object.getPrototypeOf(of)).filter((method) => method !== "toString");
    const own = Object.getPrototypeOf(of) === Object.prototype ? [] : has;
    assert.deepEqual(own.filter((method) => !Object.hasOwn(methods, method)), [], name);
  }
});

const stray: unknown[] = [];
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  stray.push(event.reason);
});

for (const [name, of, args] of ALL) {
  Deno.test(`${name}() with a wrong argument of each kind fails with a code, and changes no model`, async () => {
    if (!NEVER.includes(name)) await call(of, args());
    const restore = () => Promise.all(WATCHED.map(([one, state]) => one.loadStateDict(state)));
    await restore();
    for (let i = 0; i < args().length; i++) {
      for (const [what, make] of Object.entries(WRONG)) {
        // No options ask for the library that is there, which may end a process that mpirun did not start.
        if (name === "openFleet" && Object.keys(make() ?? {}).length === 0) continue;
        const own = args();
        own[i] = make();
        let failed = false;
        await call(of, own).catch((error: Error) => {
          failed = true;
          // What the system says of a path is the system's.
          if (/Checkpoint/.test(name) && i === 0 && error instanceof Deno.errors.NotFound) return;
          assert.ok(library.errorCode(error), `argument ${i + 1} is ${what}: ${error.stack}`);
        });
        // Options that are left out, or empty, are none.
        if (failed) { for (const [one, state] of WATCHED) assert.deepEqual(await one.stateDict(), state, what); }
        else await restore();
      }
    }
    await new Promise((resolve) => setTimeout(resolve));
    assert.deepEqual(stray, []);
  });
}

/** What takes options as its last argument. */
const OPTIONED = [
  ..."bleu classificationMetrics createModel createHandler createPredictor createTrainer evaluate exportModule forecast"
    .split(" "),
  ..."formatConfusion formatMetrics kFold modelFile plotHistory predict readTable readRecords regressionMetrics".split(
    " ",
  ),
  ..."sampleDataset train walkForward pickExamples exportOnnx loadModel crossValidate createSearcher describeForecasts"
    .split(" "),
  ..."describePredictions loadCheckpoint openFleet readLabelsTable readPairs readParallel sequenceMetrics".split(" "),
  ..."parseCheckpoint DataLoader.new PairLoader.new EventWriter.new forecasts.score PairPipeline.fit Pipeline.fit"
    .split(" "),
  ..."pipeline.score RecordingWindows.new Training.new model.forward model.gradients trainer.step trainer.begin".split(
    " ",
  ),
  ..."trainer.replay answers.search continued.forecast searcher.search loaded.resume".split(" "),
];

Deno.test("an option that does not exist is refused, and an object's options are those that it inherits too", async () => {
  let count = 0;
  for (const [name, of, args] of ALL) {
    const last = args().length - 1, options = args()[last] as object;
    if (!OPTIONED.includes(name)) continue;
    count++;
    class Given {
      get learningRte() {
        return 1;
      }
    }
    const wrong = [
      { ...options, learningRte: 1 },
      Object.create({ ...options, learningRte: 1 }),
      Object.assign(new Given(), options),
    ];
    for (const [i, given] of wrong.entries()) {
      const own = args();
      own[last] = given;
      await assert.rejects(
        call(of, own),
        (error) => library.errorCode(error) === "option-unknown" && /learningRte/.test(String(error)),
        `${name}, ${["its own", "inherited", "of a getter"][i]}`,
      );
    }
  }
  assert.equal(count, OPTIONED.length);
});

Deno.test("options that are inherited count as an object's own", async () => {
  class Options {
    get epochs() {
      return 2;
    }
    optimizer = Object.create({ learningRate: 0.5 });
  }
  using one = await createModel(Object.create(CONFIG), Object.create({ seed: 1 }));
  assert.equal(one.config.hiddenSize, 3);
  assert.equal(one.seed, 1);
  const history = await library.train(one, DATA, new Options());
  assert.equal(history.length, 2);
  assert.equal(history[0]!.learningRate, 0.5);
  const table = await library.readTable(input("1,2\n3,4\n"), Object.create({ header: false }));
  assert.equal(table.rows, 2);
});

Deno.test("what stands within an argument is looked at before it is used", async () => {
  const refused = (code: string, name: string, ...args: unknown[]) =>
    assert.rejects(
      call((library as unknown as Record<string, Call>)[name]!, args),
      (error: Error) => library.errorCode(error) === code || assert.fail(`${name}: ${error.stack}`),
    );
  const type = "argument-type", source = { x: new Float32Array(15), shape: [1, 3, 5] };
  // A part that is misspelled is missing from the checkpoint.
  await refused("option-unknown", "saveCheckpoint", PATH, { model, trianing: null });
  await refused("option-unknown", "formatCheckpoint", { model, trianing: null });
  await refused("state-dict-shape", "configFromStateDict", { ...STATE, "fc.weight": undefined });
  await refused("loss-unknown", "writeModel", { ...FILE, loss: 1 }, "pt");
  for (const format of ["pt", "safetensors"]) {
    await refused(type, "writeModel", { ...FILE, preprocessing: 1n }, format);
  }
  await refused(type, "describeModel", { ...FILE, parameters: [null] });
  await refused(type, "forecast", continuing, { ...source, shape: null }, { steps: 1 });
  await refused("option-out-of-range", "forecast", continuing, source, { steps: 2 ** 31 });
  await refused(type, "formatConfusion", { labels: null, counts: [] });
  await refused(type, "formatConfusion", { labels: ["a"], counts: 1 });
  await refused("argument-out-of-range", "formatMetrics", METRICS, { columns: 10n });
  await refused(type, "htmlReport", { title: {}, history: HISTORY });
  await refused(type, "htmlReport", { title: "a", history: HISTORY, settings: [1] });
  await refused("argument-out-of-range", "pickExamples", ["a"], ["a"], { count: 1n });
  await refused(type, "readTable", { name: "a.csv", stream: () => 1 });
  await refused(type, "subset", { ...DATA, x: undefined }, [0]);
  await refused(type, "train", model, DATA, { epochs: 1, validation: 0 });
  await refused(type, "writeNpy", { shape: [1n], data: Float32Array.of(1) });
});

Deno.test("a training whose callback fails ends with its error, leaves no other, and continues to the same bits", async () => {
  const whole = await createModel(CONFIG, { seed: 1 });
  await library.train(whole, DATA, { epochs: 3, batchSize: 5 });
  const failures = [() => Promise.reject(new Error("mine")), () => {
    throw new Error("mine");
  }];
  for (const hook of ["onBatch", "onEpoch"] as const) {
    for (const failure of failures) {
      using one = await createModel(CONFIG, { seed: 1 });
      let calls = 0;
      const called = () => ++calls === 2 ? failure() : undefined;
      const run = new library.Training(one, DATA, { epochs: 3, batchSize: 5, [hook]: called });
      await assert.rejects(run.run(), { message: "mine" }, hook);
      await new Promise((resolve) => setTimeout(resolve));
      assert.deepEqual(stray, [], hook);
      await run.run();
      assert.deepEqual(await one.stateDict(), await whole.stateDict(), hook);
    }
  }
  whole.dispose();
});

Deno.test("a training that is resumed refuses what its checkpoint says, and what does not exist", async () => {
  const one = await library.parseCheckpoint(TEXT),
    refused = (options: object, code: string) =>
      assert.throws(() => one.resume(DATA, options), (error) => library.errorCode(error) === code, code);
  refused({ learningRte: 1 }, "option-unknown");
  refused({ optimizer: {} }, "option-conflict");
  refused({ state: {} }, "option-conflict");
  refused({ bestParameters: {} }, "option-conflict");
  refused({ trainer: {} }, "option-conflict");
  refused({ onEpoch: 1 }, "argument-type");
  refused({ signal: {} }, "argument-type");
  one.model.dispose();
});

Deno.test("a model that was disposed is refused with a code", async () => {
  const gone = await createModel(CONFIG);
  gone.dispose();
  for (const [name, of, args] of ALL) {
    const own = args();
    if (own[0] !== model) continue;
    own[0] = gone;
    await assert.rejects(call(of, own), (error) => library.errorCode(error) !== undefined, name);
  }
});
