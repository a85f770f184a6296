import assert from "node:assert/strict";
import { runDeno } from "../cli/run.ts";
import {
  createModel,
  createTrainer,
  type Dataset,
  errorCode,
  formatCheckpoint,
  hashDataset,
  loadCheckpoint,
  type ModelConfig,
  type OptimizerOptions,
  parseCheckpoint,
  sampleDataset,
  saveCheckpoint,
  train,
  Training,
} from "../../mod.ts";
import { classifier, resolveConfig } from "../../core/model/config.ts";
import { Random } from "../../core/random.ts";
import { signed } from "../checkpoints.ts";

const CONFIG: ModelConfig = { inputSize: 5, hiddenSize: 3, outputSize: 2, dropout: 0.5 };
const DATA = sampleDataset({ size: 20, steps: 3, seed: 1 });

/** A training that was stopped after so many batches of 8, three to the epoch. */
async function stopped(optimizer: OptimizerOptions, config = CONFIG, stopAt = 4): Promise<Training> {
  const model = await createModel(config, { seed: 3 }), abort = new AbortController();
  let batches = 0;
  const training = new Training(model, DATA, {
    epochs: 3,
    batchSize: 8,
    seed: 5,
    clipNorm: 1,
    optimizer,
    validation: DATA,
    signal: abort.signal,
    onBatch: () => ++batches === stopAt && abort.abort("stop"),
  });
  await assert.rejects(training.run(), (error) => error === "stop");
  return training;
}

async function withFolder(run: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const names = (folder: string) => Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();

/** A good checkpoint in the middle of its second epoch. */
const TEXT = await (async () => {
  const training = await stopped({ name: "adam" });
  using model = training.model;
  return await formatCheckpoint({ model, training, job: { kind: "test" } });
})();

Deno.test("a checkpoint holds model, optimizer and training of every kind, to the bit", async () => {
  const large: ModelConfig = { ...CONFIG, numLayers: 2, bidirectional: true, layerDropout: 0.1, bias: false };
  const cases: [OptimizerOptions, ModelConfig][] = [
    [{ name: "adam" }, CONFIG],
    [{ name: "adam", amsgrad: true, weightDecay: 1e-3 }, { ...CONFIG, numLayers: 2, bidirectional: true }],
    [{ name: "adamw", learningRate: 1 / 3, betas: [0.7, 0.77] }, CONFIG],
    [{ name: "sgd" }, CONFIG],
    [{ name: "sgd", momentum: 0.9, nesterov: true }, large],
    [{ name: "rmsprop", alpha: 0.9 }, large],
  ];
  for (const [optimizer, config] of cases) {
    const training = await stopped(optimizer, config);
    const job = { names: ["a"], constructor: 1 },
      preprocessing = { mean: [0.1], words: { __proto__x: 1, "": "é\ud800" } };
    using model = training.model;
    const parts = { training, job, preprocessing };
    const text = await formatCheckpoint({ model, ...parts }), loaded = await parseCheckpoint(text);
    using copy = loaded.model;
    assert.deepEqual([copy.config, copy.seed, copy.loss], [model.config, 3, "bce"]);
    assert.deepEqual(await copy.stateDict(), await model.stateDict());
    assert.deepEqual(loaded.trainer!.options, training.trainer.options);
    assert.deepEqual(await loaded.trainer!.state(), await training.trainer.state());
    const data = { hash: await hashDataset(DATA), validationHash: await hashDataset(DATA) };
    assert.deepEqual(loaded.training, { options: training.options, state: { ...training.state, data } });
    assert.deepEqual([loaded.job, loaded.preprocessing], [job, preprocessing]);
    const { options, state } = loaded.training!;
    const again = new Training(copy, DATA, { ...options, state, trainer: loaded.trainer!, validation: DATA });
    assert.equal(
      await formatCheckpoint({ ...parts, model: copy, training: again }),
      text,
      "written again, it is the same text",
    );
  }
});

Deno.test("training that goes on from a checkpoint ends in the same bits as if it never stopped", async () => {
  for (const stopAt of [1, 3, 4, 8]) {
    const optimizer: OptimizerOptions = { name: "adam", amsgrad: true };
    using whole = await createModel(CONFIG, { seed: 3 });
    const options = { epochs: 3, batchSize: 8, seed: 5, clipNorm: 1, optimizer, validation: DATA };
    const history = await train(whole, DATA, options);
    const training = await stopped(optimizer, CONFIG, stopAt);
    using model = training.model;
    const loaded = await parseCheckpoint(await formatCheckpoint({ model, training }));
    using copy = loaded.model;
    const { options: rest, state } = loaded.training!;
    const resumed = await train(copy, DATA, { ...rest, state, trainer: loaded.trainer!, validation: DATA });
    assert.deepEqual(resumed, history);
    assert.deepEqual(await copy.stateDict(), await whole.stateDict());
  }
});

Deno.test("a model by itself is a checkpoint too, and a model with its trainer", async () => {
  using model = await createModel(CONFIG, { seed: 8 });
  const alone = await parseCheckpoint(await formatCheckpoint({ model }));
  assert.deepEqual([alone.trainer, alone.training, alone.job, alone.model.seed], [null, null, null, 8]);
  assert.deepEqual(await alone.model.stateDict(), await model.stateDict());
  const trainer = createTrainer(model, { loss: "mse", seed: 4 });
  await trainer.step(DATA, DATA.targets);
  const both = await parseCheckpoint(await formatCheckpoint({ model, trainer }));
  assert.deepEqual([both.trainer!.steps, both.trainer!.options.seed, both.training], [1, 4, null]);
  assert.deepEqual(await both.trainer!.state(), await trainer.state());
  for (const { model } of [alone, both]) model.dispose();
});

Deno.test("a checkpoint is readable: PyTorch's names, shapes, and base64 of little-endian float32", async () => {
  const json = JSON.parse(TEXT);
  assert.deepEqual([json.format, json.version], ["grutto-checkpoint", 3]);
  assert.deepEqual(json.config, {
    inputSize: 5,
    hiddenSize: 3,
    outputSize: 2,
    cell: "gru",
    numLayers: 1,
    dropout: 0.5,
    layerDropout: 0.5,
    bidirectional: false,
    bias: true,
    numEmbeddings: 0,
  });
  assert.deepEqual(json.network.layers.map(({ name, type }: Json) => [name, type]), [
    ["x", "numbers"],
    ["gru", "gru"],
    ["attention", "attention"],
    ["dropout", "dropout"],
    ["fc", "linear"],
  ]);
  assert.deepEqual(json.network.outputs, { logits: "fc.output" });
  assert.deepEqual(json.meanings, { logits: { loss: "bce" } });
  assert.deepEqual(json.generator, { algorithm: "philox4x32-10", seed: 5, step: 4, epoch: 1 });
  const { shape, dtype, data } = json.parameters["attention.attn.weight"];
  assert.deepEqual([shape, dtype], [[3, 6], "float32"]);
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0)), view = new DataView(bytes.buffer);
  using model = (await parseCheckpoint(TEXT)).model;
  const { data: numbers } = (await model.stateDict())["attention.attn.weight"]!;
  numbers.forEach((value, i) => assert.equal(view.getFloat32(4 * i, true), value));
  assert.deepEqual(Object.keys(json.trainer.state), ["exp_avg", "exp_avg_sq"]);
  assert.equal(json.training.best.epoch, 1);
});

// deno-lint-ignore no-explicit-any -- checkpoints are taken apart here in every way
type Json = any;
const NAN = btoa("\0\0\xc0\x7f".repeat(2));

/** What may be wrong with a checkpoint: what is done to it, the error's class, and what its message says. */
const BAD: Record<string, [(json: Json) => unknown, ErrorConstructor, RegExp]> = {
  "an array": [() => [], TypeError, /it is no checkpoint: format is undefined/],
  "null": [() => null, TypeError, /no checkpoint/],
  "a number": [() => 5, TypeError, /no checkpoint/],
  "another format": [(c) => c.format = "safetensors", TypeError, /format is "safetensors"/],
  "a later version": [(c) => c.version = 5, RangeError, /expected version 1 to 4, got 5/],
  "a version in words": [(c) => c.version = "1", RangeError, /expected version 1 to 4, got "1"/],
  "no version": [(c) => delete c.version, RangeError, /expected version 1 to 4, got undefined/],
  "an earlier version": [(c) => c.version = 1, TypeError, /Invalid key|arithmetic/],
  "no checksum": [(c) => (delete c.checksum, c), RangeError, /altered or damaged: its checksum is undefined/],
  "no arithmetic": [(c) => delete c.arithmetic, TypeError, /arithmetic/],
  "arithmetic of another kind": [(c) => c.arithmetic = "float16", TypeError, /arithmetic.*float16/],
  "no data": [(c) => delete c.data, TypeError, /data/],
  "a hash of another kind": [(c) => c.data.hash = "md5:00", TypeError, /data\.hash: it is no hash/],
  "no preprocessing": [(c) => delete c.preprocessing, TypeError, /preprocessing/],
  "preprocessing in words": [(c) => c.preprocessing = "none", TypeError, /preprocessing/],
  "best parameters in a list": [(c) => c.bestParameters = [], TypeError, /bestParameters/],
  "best parameters that lack one": [
    (c) => (c.bestParameters = { ...c.parameters }, delete c.bestParameters["fc.bias"]),
    TypeError,
    /bestParameters: missing parameter "fc\.bias"/,
  ],
  "a best parameter more": [
    (c) => c.bestParameters = { ...c.parameters, more: c.parameters["fc.bias"] },
    TypeError,
    /bestParameters: unknown parameter "more"/,
  ],
  "a best parameter of another shape": [
    (c) => c.bestParameters = { ...c.parameters, "fc.bias": c.parameters["fc.weight"] },
    RangeError,
    /bestParameters: "fc.bias" must have shape \[2\]/,
  ],
  "a best parameter that is NaN": [
    (c) => c.bestParameters = { ...c.parameters, "fc.bias": { ...c.parameters["fc.bias"], data: NAN } },
    TypeError,
    /bestParameters: "fc.bias" holds NaN at 0/,
  ],
  "something more": [(c) => c.comment = "hi", TypeError, /comment/],
  "__proto__ at the top": [(c) => own(c, "__proto__", {}), TypeError, /__proto__/],
  "no config": [(c) => delete c.config, TypeError, /config/],
  "a config that is a list": [(c) => c.config = [], TypeError, /config/],
  "neither a config nor a network": [
    (c) => c.config = c.network = null,
    TypeError,
    /there is neither a config nor a network/,
  ],
  "no network": [(c) => delete c.network, TypeError, /network/],
  "a network that is a list": [(c) => c.network = [], TypeError, /network/],
  "a network of another model": [
    (c) => c.network.layers.at(-1).options.outFeatures = 3,
    TypeError,
    /network and config are of different models/,
  ],
  "a network with a layer that does not exist": [
    (c) => (c.config = null, c.network.layers[1].type = "rnn"),
    TypeError,
    /network: layer "gru": there is no layer "rnn"/,
  ],
  "a network with a layer more": [
    (c) => (c.config = null, c.network.layers.push({ ...c.network.layers.at(-1), name: "fc2" })),
    TypeError,
    /network: layer "fc2": nothing reads it/,
  ],
  "a network that reads what comes later": [
    (c) => (c.config = null, c.network.layers[1].inputs.input = "fc.output"),
    TypeError,
    /network: layer "gru": .*"fc\.output", which is not there before it/,
  ],
  "__proto__ as a layer's option": [
    (c) => own(c.network.layers[1].options, "__proto__", 1),
    TypeError,
    /network.*__proto__/,
  ],
  "no meanings": [(c) => delete c.meanings, TypeError, /meanings/],
  "a meaning in words": [(c) => c.meanings.logits = "bce", TypeError, /meanings\.logits/],
  "an unknown meaning": [(c) => c.meanings.logits.loss = "hinge", TypeError, /meanings\.logits\.loss.*hinge/],
  "the meaning of an output that does not exist": [
    (c) => c.meanings = { other: { loss: "bce" } },
    TypeError,
    /"other"/,
  ],
  "a trainer for another loss than the outputs are of": [
    (c) => c.meanings.logits.loss = "mse",
    TypeError,
    /trainer\.options: the trainer's losses are not what the outputs mean/,
  ],
  "no hiddenSize": [(c) => delete c.config.hiddenSize, TypeError, /config: hiddenSize is missing/],
  "hiddenSize 0": [(c) => c.config.hiddenSize = 0, RangeError, /config: hiddenSize must be .*got 0/],
  "hiddenSize in words": [(c) => c.config.hiddenSize = "3", TypeError, /config: hiddenSize .*"3"/],
  "another hiddenSize": [
    (c) => resize(c, { hiddenSize: 4 }),
    RangeError,
    /parameters: "gru.weight_ih_l0" must have shape \[12,5\].*\[9,5\]/,
  ],
  "a huge hiddenSize": [
    (c) => resize(c, { hiddenSize: 65536 }),
    RangeError,
    /parameters: "gru.weight_ih_l0" must have shape \[196608,5\]/,
  ],
  "dropout 1": [(c) => c.config.dropout = 1, RangeError, /config: dropout .*got 1/],
  "dropout null, as JSON writes NaN": [(c) => c.config.dropout = null, TypeError, /config: dropout .*null/],
  "an unknown option of the model": [(c) => c.config.layers = 1, TypeError, /config: unknown option "layers"/],
  "__proto__ as an option": [(c) => own(c.config, "__proto__", 1), TypeError, /config.*__proto__/],
  "a seed below 0": [(c) => c.seed = -1, TypeError, /seed/],
  "a seed that is not an integer": [(c) => c.seed = 0.5, TypeError, /seed/],
  "another generator": [(c) => c.generator.algorithm = "mt19937", TypeError, /generator.algorithm.*mt19937/],
  "a generator at another step": [(c) => c.generator.step++, TypeError, /are not at the same step/],
  "a generator at another epoch": [(c) => c.generator.epoch++, TypeError, /are not at the same step/],
  "a generator of another seed": [(c) => c.generator.seed++, TypeError, /are not at the same step/],
  "a trainer at another step": [(c) => c.trainer.step++, TypeError, /are not at the same step/],
  "no parameters": [(c) => delete c.parameters, TypeError, /parameters/],
  "parameters in a list": [(c) => c.parameters = [], TypeError, /parameters/],
  "a parameter missing": [(c) => delete c.parameters["fc.bias"], TypeError, /parameters: missing parameter "fc.bias"/],
  "a parameter more": [
    (c) => c.parameters["fc.extra"] = c.parameters["fc.bias"],
    TypeError,
    /unknown parameter "fc.extra"/,
  ],
  "a parameter __proto__": [
    (c) => own(c.parameters, "__proto__", c.parameters["fc.bias"]),
    TypeError,
    /parameters.*__proto__/,
  ],
  "a parameter constructor": [(c) => own(c.parameters, "constructor", 1), TypeError, /parameters.*constructor/],
  "a parameter null": [(c) => c.parameters["fc.bias"] = null, TypeError, /parameters\.fc\.bias/],
  "another shape": [
    (c) => c.parameters["fc.bias"].shape = [1, 2],
    RangeError,
    /"fc.bias" must have shape \[2\].*\[1,2\]/,
  ],
  "a shape turned": [(c) => c.parameters["fc.weight"].shape.reverse(), RangeError, /"fc.weight" .*\[2,3\].*\[3,2\]/],
  "a shape of words": [(c) => c.parameters["fc.bias"].shape = ["2"], TypeError, /fc\.bias\.shape/],
  "a shape below 0": [(c) => c.parameters["fc.bias"].shape = [-2], TypeError, /fc\.bias\.shape/],
  "no shape": [(c) => delete c.parameters["fc.bias"].shape, TypeError, /fc\.bias\.shape/],
  "another dtype": [(c) => c.parameters["fc.bias"].dtype = "float64", TypeError, /fc\.bias\.dtype.*float64/],
  "no dtype": [(c) => delete c.parameters["fc.bias"].dtype, TypeError, /fc\.bias\.dtype/],
  "data that are no base64": [
    (c) => c.parameters["fc.bias"].data = "*".repeat(12),
    SyntaxError,
    /"fc.bias" is not base64/,
  ],
  "data in a list": [(c) => c.parameters["fc.bias"].data = [0, 0], TypeError, /fc\.bias\.data/],
  "data cut within a number": [(c) => cut(c.parameters["fc.bias"], 8), RangeError, /"fc.bias" is cut off: 6 bytes/],
  "data cut to nothing": [(c) => cut(c.parameters["fc.bias"], 0), RangeError, /"fc.bias" must have .*2 numbers.*and 0/],
  "data cut between numbers": [(c) => cut(c.parameters["fc.weight"], 16), RangeError, /"fc.weight" .*6 numbers.*and 3/],
  "data too long": [(c) => c.parameters["fc.bias"].data = "A".repeat(16), RangeError, /"fc.bias" .*and 3/],
  "NaN": [(c) => c.parameters["fc.bias"].data = NAN, TypeError, /parameters: "fc.bias" holds NaN at 0/],
  "something more beside an array": [(c) => c.parameters["fc.bias"].scale = 1, TypeError, /fc\.bias\.scale/],
  "trainer options missing": [(c) => delete c.trainer.options, TypeError, /trainer\.options/],
  "an unknown loss": [(c) => c.trainer.options.loss = "hinge", RangeError, /trainer\.options: loss .*"hinge"/],
  "clipNorm 0": [(c) => c.trainer.options.clipNorm = 0, RangeError, /trainer\.options: clipNorm .*got 0/],
  "an unknown optimizer": [
    (c) => c.trainer.options.optimizer.name = "lion",
    RangeError,
    /trainer\.options: name .*"lion"/,
  ],
  "another optimizer": [
    (c) => c.trainer.options.optimizer = { name: "sgd" },
    TypeError,
    /trainer\.state: unknown state "exp_avg"/,
  ],
  "a learning rate in words": [(c) => c.trainer.options.optimizer.learningRate = "1", TypeError, /learningRate .*"1"/],
  "a step below 0": [(c) => c.trainer.step = -1, TypeError, /trainer\.step/],
  "no optimizer state": [(c) => c.trainer.state = {}, TypeError, /trainer\.state: missing state "exp_avg"/],
  "half an optimizer state": [(c) => delete c.trainer.state.exp_avg_sq, TypeError, /missing state "exp_avg_sq"/],
  "more optimizer state": [(c) => c.trainer.state.extra = c.trainer.state.exp_avg, TypeError, /unknown state "extra"/],
  "a state __proto__": [(c) => own(c.trainer.state, "__proto__", {}), TypeError, /trainer\.state.*__proto__/],
  "a moment missing": [
    (c) => delete c.trainer.state.exp_avg["fc.bias"],
    TypeError,
    /trainer\.state "exp_avg": missing parameter "fc.bias"/,
  ],
  "a moment of another shape": [
    (c) => c.trainer.state.exp_avg["fc.bias"].shape = [1],
    RangeError,
    /"exp_avg": "fc.bias" .*\[2\]/,
  ],
  "a moment that is NaN": [
    (c) => c.trainer.state.exp_avg_sq["fc.bias"].data = NAN,
    TypeError,
    /"exp_avg_sq": "fc.bias" holds NaN/,
  ],
  "training without a trainer": [
    (c) => (c.trainer = null, c.generator = { ...c.generator, step: 0, seed: 3 }),
    TypeError,
    /are not at the same step/,
  ],
  "epochs 0": [(c) => c.training.options.epochs = 0, RangeError, /training\.options: epochs .*got 0/],
  "a batch size of half": [(c) => c.training.options.batchSize = 0.5, RangeError, /training\.options: batchSize/],
  "shuffle in words": [(c) => c.training.options.shuffle = "no", TypeError, /training\.options: shuffle/],
  "no batch": [(c) => delete c.training.state.batch, TypeError, /training\.state\.batch/],
  "a loss null, as JSON writes NaN": [(c) => c.training.state.lossSum = null, TypeError, /training\.state\.lossSum/],
  "an epoch missing in the history": [
    (c) => c.training.state.history = [],
    TypeError,
    /history are not at the same step/,
  ],
  "a history out of order": [
    (c) => c.training.state.history[0].epoch = 2,
    TypeError,
    /history are not at the same step/,
  ],
  "a record without loss": [(c) => delete c.training.state.history[0].trainLoss, TypeError, /history\.0\.trainLoss/],
  "a best epoch in words": [(c) => c.training.best = "first", TypeError, /training\.best/],
  "a job in words": [(c) => c.job = "train", TypeError, /job/],
  "no job": [(c) => delete c.job, TypeError, /job/],
};

/** Sets a property of any name, `__proto__` too. */
function own(object: object, name: string, value: unknown) {
  Object.defineProperty(object, name, { value, enumerable: true });
}

/** Changes a model's options, in its config and in its network. */
function resize(json: Json, change: Partial<ModelConfig>) {
  json.config = { ...json.config, ...change };
  json.network = JSON.parse(JSON.stringify(classifier(resolveConfig(json.config))));
}

function cut(array: { data: string }, characters: number) {
  array.data = array.data.slice(0, characters);
}

Deno.test("a checkpoint with something wrong in it is refused, naming the file and what is wrong", async (t) => {
  (await parseCheckpoint(JSON.stringify(JSON.parse(TEXT)))).model.dispose();
  for (const [what, [spoil, error, message]] of Object.entries(BAD)) {
    await t.step(what, async () => {
      const json = JSON.parse(TEXT), value = spoil(json);
      const whole = ["an array", "null", "a number"].includes(what);
      const text = what === "no checksum" ? JSON.stringify(value) : signed(whole ? value : json);
      await assert.rejects(parseCheckpoint(text, "run/last.json"), (thrown) => {
        assert.ok(thrown instanceof Error);
        assert.equal(thrown.constructor, error, String(thrown));
        assert.match(thrown.message, /^Cannot load checkpoint "run\/last\.json": [^\n]*$/);
        assert.match(thrown.message, message);
        return true;
      });
    });
  }
});

Deno.test("a checkpoint cut off anywhere is refused as such", async () => {
  const end = TEXT.trimEnd().length;
  for (let length = 0; length < end; length += 97) {
    await assert.rejects(parseCheckpoint(TEXT.slice(0, length), "c.json"), {
      name: "SyntaxError",
      message: /^Cannot load checkpoint "c\.json": it is not JSON, or was cut off/,
    });
  }
  await assert.rejects(parseCheckpoint(TEXT.slice(0, end - 1)), SyntaxError);
});

Deno.test("text that is not JSON is refused as such", async () => {
  for (const text of ["", "hello", "\x80PK", "{'format': 1}", `${TEXT}x`]) {
    await assert.rejects(parseCheckpoint(text), { name: "SyntaxError", message: /"checkpoint": it is not JSON/ });
  }
});

Deno.test("a checkpoint is saved to a path or URL and loaded from it", () =>
  withFolder(async (folder) => {
    using model = await createModel(CONFIG, { seed: 6 });
    const path = `${folder}/a b.json`, url = new URL(`file://${folder}/c.json`);
    await saveCheckpoint(path, { model });
    await saveCheckpoint(url, { model });
    assert.deepEqual(names(folder), ["a b.json", "c.json"]);
    for (const place of [path, url]) {
      using copy = (await loadCheckpoint(place)).model;
      assert.deepEqual(await copy.stateDict(), await model.stateDict());
    }
  }));

Deno.test("loading names the file that is bad", () =>
  withFolder(async (folder) => {
    const path = `${folder}/bad.json`;
    await Deno.writeTextFile(path, TEXT.slice(0, 500));
    await assert.rejects(loadCheckpoint(path), (error) => error instanceof SyntaxError && error.message.includes(path));
    await assert.rejects(loadCheckpoint(`${folder}/none.json`), Deno.errors.NotFound);
  }));

Deno.test("a checkpoint that cannot be written leaves what stood there, and nothing beside it", () =>
  withFolder(async (folder) => {
    using model = await createModel(CONFIG);
    // The temporary file can be written, but not renamed onto a folder.
    await Deno.mkdir(`${folder}/taken.json/inside`, { recursive: true });
    await assert.rejects(saveCheckpoint(`${folder}/taken.json`, { model }), Error);
    assert.deepEqual(names(folder), ["taken.json"]);
    assert.deepEqual(names(`${folder}/taken.json`), ["inside"]);
    await assert.rejects(saveCheckpoint(`${folder}/none/new.json`, { model }), Deno.errors.NotFound);
    assert.ok(!names(folder).includes("none"));
  }));

Deno.test("a model with a value that is not finite is not saved over a good checkpoint", () =>
  withFolder(async (folder) => {
    using model = await createModel(CONFIG);
    const path = `${folder}/last.json`;
    await saveCheckpoint(path, { model });
    const before = await Deno.readTextFile(path);
    const trainer = createTrainer(model, { optimizer: { name: "sgd", learningRate: 1e38, weightDecay: 1e38 } });
    await trainer.step(DATA, DATA.targets);
    const wrong = { name: "RangeError", message: /^Cannot save checkpoint: "[\w.]+" holds (NaN|-?Infinity) at \d+$/ };
    await assert.rejects(saveCheckpoint(path, { model, trainer }), wrong);
    assert.equal(await Deno.readTextFile(path), before);
    assert.deepEqual(names(folder), ["last.json"]);
  }));

Deno.test("a bit that has changed anywhere is found out by the checksum, or by what follows", async () => {
  const bytes = new TextEncoder().encode(TEXT), random = new Random(1, "data");
  for (let i = 0; i < 300; i++) {
    const copy = bytes.slice(), at = random.below(bytes.length), bit = random.below(8);
    copy[at]! ^= 1 << bit;
    const text = new TextDecoder().decode(copy), same = sameContent(text);
    const loading = parseCheckpoint(text).then(({ model }) => model.dispose());
    if (same) await loading;
    else await assert.rejects(loading, /^(Syntax|Type|Range)Error: Cannot load checkpoint/, `byte ${at}, bit ${bit}`);
  }
});

/** Whether a text says the same: blanks between words may be other blanks. */
function sameContent(text: string): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(JSON.parse(TEXT));
  } catch {
    return false;
  }
}

Deno.test("a parameter that was altered is refused, naming both checksums", async () => {
  const json = JSON.parse(TEXT), array = json.parameters["fc.bias"];
  array.data = `${array.data[0] === "A" ? "B" : "A"}${array.data.slice(1)}`;
  await assert.rejects(parseCheckpoint(JSON.stringify(json), "a.json"), {
    name: "RangeError",
    message:
      /^Cannot load checkpoint "a\.json": it was altered or damaged: its checksum is "sha256:\w{64}", its content's "sha256:\w{64}"$/,
  });
  (await parseCheckpoint(JSON.stringify(JSON.parse(TEXT)))).model.dispose();
});

/** How much memory a program of its own takes more for reading these checkpoints, which it must refuse. */
async function growth(texts: readonly string[]): Promise<number> {
  const code = `
    import { parseCheckpoint } from "${import.meta.resolve("../../mod.ts")}";
    const texts = JSON.parse(await new Response(Deno.stdin.readable).text());
    await parseCheckpoint("{}").catch(() => {});
    const before = Deno.memoryUsage().rss;
    for (const text of texts) {
      const error = await parseCheckpoint(text).catch((error) => error);
      if (!/^(Range|Type)Error$/.test(error.name) || !error.cause?.code) throw error;
      // How soon the engine collects, and in which steps its heap grows, is not what is looked at.
      gc();
    }
    console.log(Deno.memoryUsage().rss - before);`;
  const args = ["eval", "--no-lock", "--v8-flags=--expose-gc", code];
  const { code: status, out, err } = await runDeno(args, { input: JSON.stringify(texts) });
  assert.equal(status, 0, err);
  return Number(out);
}

Deno.test("a checkpoint of lists in lists in lists takes no memory", async () => {
  const deep = (n: number) => `${"[".repeat(n)}${"]".repeat(n)}`;
  const texts = [5000, 200_000].flatMap((n) =>
    ["format", "version", "job", "checksum"].map((name) =>
      `{"format":"grutto-checkpoint","version":3,"${name}":${deep(n)}}`
    )
  );
  assert.ok(await growth(texts) < 64e6);
});

Deno.test("a config that asks for more than the file holds gets no memory", async () => {
  const json = JSON.parse(TEXT);
  resize(json, { hiddenSize: 8192, numLayers: 8 });
  const texts = [signed(json), signed({ ...json, config: null }), signed({ ...json, network: null })];
  for (const text of texts) await assert.rejects(parseCheckpoint(text), RangeError);
  assert.ok(await growth(texts) < 64e6);
});

Deno.test("training does not go on with other data", async () => {
  const { model, trainer, training } = await parseCheckpoint(TEXT),
    other = sampleDataset({ size: 20, steps: 3, seed: 2 });
  using _model = model;
  const resume = (data: Dataset, validation?: Dataset) =>
    train(model, data, { ...training!.options, state: training!.state, trainer: trainer!, validation });
  const before = await trainer!.state(), hashes = [await hashDataset(DATA), await hashDataset(other)];
  const message = (what: string) => `Cannot train: the ${what} must be those of before, ${hashes[0]}, got ${hashes[1]}`;
  await assert.rejects(resume(other), { name: "RangeError", message: message("data") });
  await assert.rejects(resume(DATA, other), { name: "RangeError", message: message("validation data") });
  assert.deepEqual(await trainer!.state(), before);
  assert.equal((await resume(sampleDataset({ size: 20, steps: 3, seed: 1 }), DATA)).length, 3);
});

Deno.test("what is not finite is not written, wherever it stands", async () => {
  using model = await createModel(CONFIG);
  await assert.rejects(formatCheckpoint({ model, job: { scale: [1, NaN] } }), {
    name: "RangeError",
    message: "Cannot save checkpoint: 1 is NaN",
  });
});

Deno.test("a model of plain SIMD stays one, unless another is asked for", async () => {
  using model = await createModel(CONFIG, { simd: "plain" });
  const text = await formatCheckpoint({ model });
  const kinds = [];
  for (const options of [{}, { simd: "auto" }, { simd: "relaxed" }] as const) {
    const loaded = await parseCheckpoint(text, "a.json", options);
    assert.equal(loaded.arithmetic, "plain");
    kinds.push(loaded.model.device.arithmetic);
    loaded.model.dispose();
  }
  assert.deepEqual(kinds, ["plain", "relaxed", "relaxed"]);
});

Deno.test("resume() continues a loaded training to the same bits; options that are given win", async () => {
  using whole = await createModel(CONFIG, { seed: 3 });
  const optimizer: OptimizerOptions = { name: "adam", amsgrad: true };
  const options = { batchSize: 8, seed: 5, clipNorm: 1, optimizer, validation: DATA };
  const history = await train(whole, DATA, { ...options, epochs: 5 });
  const stoppedAt = await stopped(optimizer, CONFIG, 5);
  using model = stoppedAt.model;
  const text = await formatCheckpoint({ model, training: stoppedAt }), loaded = await parseCheckpoint(text);
  using copy = loaded.model;
  const reports: number[] = [];
  const training = loaded.resume(DATA, {
    validation: DATA,
    epochs: 5,
    batchSize: undefined,
    onEpoch: ({ epoch }) => void reports.push(epoch),
  });
  assert.equal(training.options.batchSize, 8, "what is undefined is not given");
  assert.deepEqual(await training.run(), history);
  assert.deepEqual(await copy.stateDict(), await whole.stateDict());
  assert.deepEqual(reports, [2, 3, 4, 5]);
  const again = await parseCheckpoint(text);
  using third = again.model;
  assert.deepEqual([third.seed, (await again.resume(DATA, { validation: DATA }).run()).length], [3, 3]);
});

Deno.test("resume() refuses what would be another training", async () => {
  const loaded = await parseCheckpoint(TEXT), other = sampleDataset({ size: 20, steps: 3, seed: 2 });
  using model = loaded.model;
  assert.throws(() => loaded.resume(DATA), {
    name: "TypeError",
    message: /the training was validated: pass its validation data/,
  });
  assert.throws(() => loaded.resume(DATA, { validation: DATA, batchSize: 0 }), {
    name: "RangeError",
    message: /batchSize/,
  });
  const loss = { validation: DATA, loss: "mse" } as object;
  assert.throws(() => loaded.resume(DATA, loss), {
    name: "TypeError",
    message: /a trainer was given, so loss must be set/,
  });
  for (const [data, validation] of [[other, DATA], [DATA, other]] as const) {
    await assert.rejects(loaded.resume(data, { validation }).run(), {
      name: "RangeError",
      message: /must be those of be/,
    });
  }
  const alone = await parseCheckpoint(await formatCheckpoint({ model }));
  using copy = alone.model;
  assert.throws(
    () => alone.resume(DATA),
    (error) => error instanceof TypeError && errorCode(error) === "training-missing",
  );
  assert.equal(copy.seed, 3);
});
