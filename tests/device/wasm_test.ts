import { tensorAt } from "../../core/device/arena.ts";
import assert from "node:assert/strict";
import type { Simd } from "../../core/device/device.ts";
import { WasmDevice } from "../../core/device/wasm.ts";
import { PLAIN } from "../../core/device/wasm_module.ts";
import { fromBase64 } from "../../core/engine.ts";
import { createModel, type NamedArray } from "../../core/model/model.ts";
import { createPredictor } from "../../core/model/predictor.ts";
import { Random } from "../../core/random.ts";
import { createTrainer } from "../../core/train/trainer.ts";
import { randomBatch } from "../batches.ts";
import { runDeno } from "../cli/run.ts";
import { assertIdentical } from "../close.ts";

Deno.test("an engine without relaxed SIMD gets the plain build, and says so when another is asked for", async () => {
  const config = { inputSize: 1, hiddenSize: 1, outputSize: 1 }, { validate } = WebAssembly;
  WebAssembly.validate = () => false;
  try {
    using model = await createModel(config);
    assert.match(model.device.description, /plain SIMD/);
    for (const simd of ["relaxed", "wide"] as const) {
      await assert.rejects(createModel(config, { simd }), { name: "TypeError", message: /no relaxed SIMD/ });
    }
  } finally {
    WebAssembly.validate = validate;
  }
  using model = await createModel(config);
  assert.match(model.device.description, /relaxed SIMD/);
});

Deno.test("a module that is compiled already is taken, by predictors too, and what is none is refused", async () => {
  const config = { inputSize: 2, hiddenSize: 3, outputSize: 1, loss: "mse" as const };
  const module = new WebAssembly.Module(fromBase64(PLAIN)), { Module } = WebAssembly;
  const x = Float32Array.of(1, 2, 3, 4), steps = { x, shape: [1, 2, 2] };
  using plain = await createModel(config, { simd: "plain" });
  const { logits } = await plain.forward(steps);
  try {
    // As in an engine that compiles nothing at run time.
    WebAssembly.Module = class {
      constructor() {
        throw new WebAssembly.CompileError("code generation disallowed");
      }
      static [Symbol.hasInstance] = (value: unknown) => value instanceof Module;
    } as unknown as typeof Module;
    using model = await createModel(config, { module });
    assert.match(model.device.description, /plain SIMD/);
    assert.deepEqual((await model.forward(steps)).logits, logits);
    using predictor = await createPredictor(model);
    assert.equal(predictor.predict(x).outputs.length, 1);
  } finally {
    WebAssembly.Module = Module;
  }
  for (const options of [{ module: {} as WebAssembly.Module }, { module, device: "webgpu" as const }]) {
    await assert.rejects(createModel(config, options), { name: "TypeError", message: /option module/ });
  }
});

Deno.test("an engine that compiles no WebAssembly says what to do", async () => {
  const code = `const { createModel } = await import(${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)});
    WebAssembly.Module = class { constructor() { throw new WebAssembly.CompileError("disallowed"); } };
    await createModel({ inputSize: 1, hiddenSize: 1, outputSize: 1 })
      .catch((error) => console.log(error.cause.code, error.message));`;
  const { out } = await runDeno(["eval", code]);
  assert.match(
    out,
    /^wasm-unavailable .*compiles no WebAssembly \(disallowed\): pass the compiled core as option module/,
  );
});

Deno.test("any number of threads and any tiles give the same bits", async () => {
  const config = {
    inputSize: 3,
    hiddenSize: 29,
    outputSize: 2,
    numLayers: 2,
    bidirectional: true,
    dropout: 0.5,
  };
  const run = async (threads: number | "auto", simd: Simd) => {
    using model = await createModel(config, { threads, simd });
    const trainer = createTrainer(model, { optimizer: { learningRate: 0.01 }, clipNorm: 0.5 });
    const random = new Random(1, "data"), found: Record<string, ArrayLike<number>> = {};
    // From several blocks to one and back.
    for (const B of [45, 3, 61]) {
      const { sequences, targets } = randomBatch(random, config, { B, T: 23, loss: "bce", lengths: true });
      const { loss, gradNorm, correct } = await trainer.step(sequences, targets);
      found[`step of ${B}`] = [loss, gradNorm, correct];
      const { outputs: { values, ...outputs }, parameters, inputs } = await model.gradients(sequences, targets, {
        loss: "bce",
      });
      const parts: Record<string, NamedArray>[] = [outputs, values, parameters, inputs];
      for (const part of parts) {
        for (const [name, { data }] of Object.entries(part)) found[`${name} of ${B}`] = data;
      }
    }
    for (const [name, { data }] of Object.entries(await model.stateDict())) found[`${name} after training`] = data;
    return found;
  };
  const expected = await run(1, "relaxed");
  for (const [threads, simd] of [[2, "relaxed"], [3, "wide"], [1, "wide"], ["auto", "auto"]] as const) {
    const found = await run(threads, simd);
    for (const [name, data] of Object.entries(expected)) {
      assertIdentical(found[name]!, data, `${name}, ${threads} threads, ${simd} SIMD`);
    }
  }
});

Deno.test("a device refuses what does not fit", async () => {
  const device = await WasmDevice.open(1), program = [[[]]];
  device.load({ arena: 16, scratch: 0, parallel: false, programs: [program] }, 0);
  device.run(program);
  assert.throws(() => device.run([[[]]]), TypeError);
  assert.throws(() => device.write(tensorAt(0, 4), new Float32Array(5)), RangeError);
  assert.throws(
    () => device.load({ arena: 2 ** 30, scratch: 0, parallel: false, programs: [] }, 0),
    { name: "RangeError", message: /needs 4097 MiB, WebAssembly has 4096/ },
  );
  device.dispose();
});

Deno.test("what is to be kept survives a move to a larger memory", async () => {
  const device = await WasmDevice.open(1), kept = tensorAt(0, 5);
  device.load({ arena: 16, scratch: 0, parallel: false, programs: [] }, 0);
  device.write(kept, Float32Array.of(1, 2, 3, 4, 5));
  device.load({ arena: 10_000_000, scratch: 0, parallel: false, programs: [] }, 5);
  assert.deepEqual([...await device.read(kept)], [1, 2, 3, 4, 5]);
  device.dispose();
});

Deno.test("a model beyond all memory is refused at once, with the arithmetic", async () => {
  const config = { inputSize: 5, hiddenSize: 65536, outputSize: 2, numLayers: 64, bidirectional: true };
  await assert.rejects(createModel(config), {
    name: "RangeError",
    message: /its \d+ parameters need \d+ MiB; WebAssembly memory is limited/,
  });
});

Deno.test("a long step on one thread gives the event loop its turns, and computes the same", async () => {
  const config = { inputSize: 16, hiddenSize: 256, outputSize: 2 };
  const { sequences, targets } = randomBatch(new Random(1, "data"), config, {
    B: 48,
    T: 60,
    loss: "bce",
    lengths: false,
  });
  const step = async (threads: number) => {
    using model = await createModel(config, { threads, simd: "plain" });
    const trainer = createTrainer(model);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const { loss } = await trainer.step(sequences, targets);
    clearInterval(timer);
    return { loss, ticks, weights: (await model.stateDict())["gru.weight_hh_l0"]!.data };
  };
  const alone = await step(1), shared = await step(2);
  assert.ok(alone.ticks > 0, "no timer fired");
  assert.equal(alone.loss, shared.loss);
  assertIdentical(alone.weights, shared.weights, "weight_hh_l0");
});
