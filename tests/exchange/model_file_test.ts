import assert from "node:assert/strict";
import { Pipeline } from "../../core/data/pipeline.ts";
import { configFromStateDict } from "../../core/exchange/config.ts";
import {
  describeModel,
  loadModel,
  modelFile,
  modelFormat,
  modelFormatOf,
  readModel,
  writeModel,
} from "../../core/exchange/model_file.ts";
import { writePt } from "../../core/exchange/pt.ts";
import { writeSafetensors } from "../../core/exchange/safetensors.ts";
import type { ModelConfig } from "../../core/model/config.ts";
import { createModel, type StateDict } from "../../core/model/model.ts";
import { evaluate } from "../../core/train/evaluate.ts";
import { assertClose } from "../close.ts";
import { numbers, readFixture, type StoredTensor, type StoredTensors } from "../golden.ts";

const CHECKPOINT = new URL("../testdata/golden/checkpoint/", import.meta.url);
const SAVED = new URL("../testdata/exchange/", import.meta.url);
const read = (name: string, folder = CHECKPOINT) => Deno.readFileSync(new URL(name, folder));

const SMALL: ModelConfig = { inputSize: 3, hiddenSize: 4, outputSize: 2 };
const CONFIGS: Record<string, ModelConfig> = {
  plain: SMALL,
  "3 layers": { ...SMALL, numLayers: 3 },
  bidirectional: { ...SMALL, bidirectional: true, numLayers: 2 },
  "no bias": { ...SMALL, bias: false },
  "embedding": { ...SMALL, numEmbeddings: 7 },
};

async function parametersOf(config: ModelConfig): Promise<StateDict> {
  using model = await createModel(config, { seed: 2 });
  return await model.stateDict();
}

Deno.test("the numbers of a file are given back once its model holds them", async () => {
  using model = await createModel(SMALL, { seed: 2 });
  const { transfer } = ArrayBuffer.prototype, file = await modelFile(model);
  const files = (["pt", "safetensors"] as const).map((format) => writeModel(file, format));
  let bytes = 0;
  ArrayBuffer.prototype.transfer = function (size) {
    if (size === 0) bytes += this.byteLength;
    return transfer.call(this, size);
  };
  try {
    for (const file of files) {
      const before = file.slice(), { model: copy } = await loadModel(file);
      assert.deepEqual(await copy.stateDict(), await model.stateDict());
      // What was passed is the caller's.
      assert.deepEqual(file, before);
      copy.dispose();
    }
  } finally {
    ArrayBuffer.prototype.transfer = transfer;
  }
  assert.equal(bytes, 2 * 4 * model.parameters.reduce((sum, { length }) => sum + length, 0));
});

for (const file of ["model.pt", "full.pt", "model.safetensors"]) {
  Deno.test(`PyTorch's ${file} predicts as in PyTorch`, async () => {
    const { model } = await loadModel(read(file), { name: file });
    const data = readFixture<StoredTensors>("checkpoint/data.json");
    const { final_model_in_eval_mode: { test } } = readFixture<{
      final_model_in_eval_mode: { test: { accuracy: number; logits: StoredTensor } };
    }>("checkpoint/metrics.json");
    const x = Float32Array.from(numbers(data.test_x!)), { shape } = data.test_x!;
    const targets = Float32Array.from(numbers(data.test_y!));
    assert.equal((await evaluate(model, { x, shape, targets }, { loss: "bce" })).accuracy, test.accuracy);
    assertClose((await model.forward({ x, shape })).logits.data, numbers(test.logits), 1e-5, "logits");
    model.dispose();
  });
}

for (const [name, config] of Object.entries(CONFIGS)) {
  Deno.test(`configFromStateDict finds the options of a model: ${name}`, async () => {
    const found = configFromStateDict(await parametersOf(config));
    assert.deepEqual(found, { ...SMALL, numLayers: 1, bidirectional: false, bias: true, ...config });
  });

  for (const format of ["safetensors", "pt"] as const) {
    Deno.test(`a model comes back whole from ${format}: ${name}`, async () => {
      const parts = { config: { ...config, dropout: 0.5 }, preprocessing: { version: 1, labels: ["é", "__proto__"] } };
      const file = { ...parts, parameters: await parametersOf(config), loss: "crossEntropy" } as const;
      const bytes = writeModel(file, format);
      assert.equal(modelFormat(bytes), format);
      const { config: full, ...rest } = readModel(bytes), { config: _, ...expected } = file;
      assert.deepEqual(rest, expected);
      assert.equal(full?.dropout, 0.5);
      assert.equal(full?.numLayers, config.numLayers ?? 1);
    });
  }
}

Deno.test("modelFile and loadModel carry a model's loss and preprocessing", async () => {
  using model = await createModel(SMALL, { seed: 3 });
  const file = await modelFile(model, { loss: "mse", preprocessing: { mean: [1] } });
  for (const format of ["safetensors", "pt"] as const) {
    const { model: copy, loss, preprocessing } = await loadModel(writeModel(file, format));
    assert.deepEqual([await copy.stateDict(), loss, preprocessing], [file.parameters, "mse", { mean: [1] }]);
    copy.dispose();
  }
});

Deno.test("readModel passes over the prefixes of PyTorch's wrappers", () => {
  const plain = readModel(read("parameters.pt", SAVED));
  assert.deepEqual(readModel(read("module_prefix.pt", SAVED)), plain);
  assert.deepEqual(readModel(read("nested.pt", SAVED)), plain);
});

Deno.test("formats are told by first bytes and by endings", async () => {
  const parameters = await parametersOf(SMALL), formats = (names: string[]) => names.map(modelFormatOf);
  assert.equal(modelFormat(writePt(parameters)), "pt");
  assert.equal(modelFormat(writeSafetensors(parameters)), "safetensors");
  // A header of 0x580 bytes: its length begins as a pickle does.
  const bytes = writeSafetensors({}, { text: " ".repeat(0x580 - `{"__metadata__":{"text":""}}`.length) });
  assert.deepEqual([bytes[0], modelFormat(bytes)], [0x80, "safetensors"]);
  assert.equal(modelFormat(new TextEncoder().encode('{\n "format": "grutto-checkpoint"}')), undefined);
  assert.equal(modelFormat(new Uint8Array(0)), undefined);
  assert.deepEqual(formats(["a.PT", "b/c.pth", "d.bin"]), ["pt", "pt", "pt"]);
  assert.deepEqual(formats(["a.safetensors", "a.onnx", "a.json", "pt"]), ["safetensors", "onnx", undefined, undefined]);
});

Deno.test("readModel says what is missing or odd", async () => {
  const parameters = await parametersOf({ ...SMALL, numLayers: 2 });
  const without = (name: string) => {
    const { [name]: _, ...rest } = parameters;
    return rest;
  };
  const reshaped = (name: string, shape: number[]) => ({
    ...parameters,
    [name]: { shape, data: new Float32Array(shape.reduce((a, b) => a * b)) },
  });
  const refused: [StateDict, string, string][] = [
    [{}, "TypeError", 'missing parameter "gru.weight_ih_l0"'],
    [without("fc.weight"), "TypeError", 'missing parameter "fc.weight"'],
    [without("gru.bias_hh_l1"), "TypeError", 'missing parameter "gru.bias_hh_l1"'],
    [without("gru.weight_ih_l1"), "TypeError", 'unknown parameter "gru.weight_hh_l1"'],
    [
      { ...without("fc.bias"), extra: parameters["fc.bias"]! },
      "TypeError",
      'missing parameter "fc.bias"; "extra" is none of its parameters',
    ],
    [
      reshaped("gru.weight_ih_l0", [13, 3]),
      "RangeError",
      '"gru.weight_ih_l0" must have 3 rows per unit, got [13,3]',
    ],
    [reshaped("gru.weight_ih_l0", [36]), "RangeError", '"gru.weight_ih_l0" must have two dimensions, got [36]'],
    [
      reshaped("attention.attn.weight", [4, 4]),
      "RangeError",
      '"attention.attn.weight" must have shape [4,8] and 32 numbers, got [4,4] and 16',
    ],
  ];
  for (const [dict, name, message] of refused) {
    assert.throws(() => readModel(writeSafetensors(dict), "m"), { name, message: `Cannot read "m": ${message}` });
  }
  const own = (text: string) => writeSafetensors(parameters, { grutto: text });
  const config = { ...SMALL, numLayers: 2 };
  for (
    const [bytes, name, message] of [
      [own("{"), "SyntaxError", /metadata is not JSON/],
      [own("null"), "TypeError", /inputSize is missing/],
      [own(JSON.stringify({ config: { ...config, speed: 1 } })), "TypeError", /unknown option "speed"/],
      [own(JSON.stringify({ config: SMALL })), "TypeError", /unknown parameter "gru\.weight_ih_l1"/],
      [own(JSON.stringify({ config, loss: "hinge" })), "TypeError", /loss must be one of "bce", /],
      [own(JSON.stringify({ config, more: 1 })), "TypeError", /unknown field "more"/],
      [new TextEncoder().encode("{}"), "TypeError", /neither a safetensors file nor a \.pt file/],
    ] as const
  ) {
    assert.throws(() => readModel(bytes, "m"), (error: Error) => {
      assert.equal(error.name, name);
      assert.match(error.message, message);
      assert.ok(error.message.startsWith('Cannot read "m": '), error.message);
      return true;
    });
  }
});

Deno.test("loadModel refuses numbers that are not finite", async () => {
  const parameters = await parametersOf(SMALL);
  parameters["fc.bias"]!.data[1] = NaN;
  await assert.rejects(() => loadModel(writeSafetensors(parameters)), {
    name: "TypeError",
    message: /"fc\.bias" holds NaN at 1/,
  });
});

Deno.test("describeModel tells a model's shape and its tensors", () => {
  const lines = describeModel(readModel(read("model.pt")));
  assert.equal(lines[0], "GRU with additive attention: 5 inputs, 1 layer of 10, 2 outputs");
  assert.ok(lines.includes("752 numbers in 9 tensors:"), lines.join("\n"));
  assert.ok(lines.includes("loss not known") && lines.includes("preprocessing none"));
  assert.equal(lines.at(-1), "  fc.bias                [2]             -0.1322 to 0.2185");
});

Deno.test("describeModel tells what the preprocessing makes", async () => {
  const record = (label: string) => ({
    text: `text of ${label}`,
    steps: 0,
    channels: 0,
    labels: [label],
    place: label,
  });
  const pipeline = Pipeline.fit([record("a"), record('"b"')], { task: "multiclass", tokens: "words" });
  const { numEmbeddings, outputSize } = pipeline, config = { inputSize: 3, hiddenSize: 2, outputSize, numEmbeddings };
  const file = { config, parameters: await parametersOf(config), loss: "crossEntropy" } as const;
  const lines = describeModel({ ...file, preprocessing: pipeline.toJSON() });
  assert.equal(lines[0], `GRU with additive attention: ${numEmbeddings} tokens, embedding 3, 1 layer of 2, 2 outputs`);
  assert.deepEqual(lines.slice(2, 5), [
    "loss crossEntropy",
    `preprocessing of text, ${numEmbeddings} tokens`,
    'multiclass: "\\"b\\"", "a"',
  ]);
  assert.match(
    describeModel({ ...file, preprocessing: { kind: "magic" } })[3]!,
    /^preprocessing of another kind: preprocessing\.\w+ is missing$/,
  );
});
