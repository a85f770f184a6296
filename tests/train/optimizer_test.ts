import assert from "node:assert/strict";
import { createModel, createTrainer, type OptimizerOptions } from "../../mod.ts";
import { OPTIMIZER_OPTIONS, resolveOptimizer } from "../../core/train/optimizer.ts";

Deno.test("every optimizer has PyTorch's defaults, and no options of another", () => {
  const adam = { learningRate: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, amsgrad: false };
  const expected = {
    adam: { name: "adam", ...adam },
    adamw: { name: "adamw", ...adam, weightDecay: 1e-2 },
    sgd: { name: "sgd", learningRate: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false },
    rmsprop: { name: "rmsprop", learningRate: 1e-2, alpha: 0.99, eps: 1e-8, weightDecay: 0 },
  };
  assert.deepEqual(OPTIMIZER_OPTIONS.name.choices, Object.keys(expected));
  for (const [name, options] of Object.entries(expected)) {
    assert.deepEqual(resolveOptimizer({ name } as OptimizerOptions), options);
    for (const option of Object.keys(OPTIMIZER_OPTIONS)) {
      if (option in options) continue;
      const given = { name, [option]: option === "betas" ? [0.9, 0.9] : option === "nesterov" ? true : 0.5 };
      if (option === "amsgrad") given[option] = true;
      assert.throws(() => resolveOptimizer(given as OptimizerOptions), {
        name: "TypeError",
        message: `Cannot create optimizer: "${name}" has no option "${option}"`,
      });
    }
  }
});

Deno.test("what is given replaces the default, undefined does not", () => {
  const options = resolveOptimizer({ name: "sgd", learningRate: 0.25, momentum: undefined });
  assert.deepEqual(options, {
    name: "sgd",
    learningRate: 0.25,
    momentum: 0,
    dampening: 0,
    weightDecay: 0,
    nesterov: false,
  });
  assert.equal(resolveOptimizer().name, "adam");
});

Deno.test("bad values of an optimizer are refused with name and value", () => {
  const wrong = (options: object, name: string, message: RegExp) =>
    assert.throws(() => resolveOptimizer(options as OptimizerOptions), { name, message });
  wrong({ name: "adagrad" }, "RangeError", /name must be one of adam, adamw, sgd, rmsprop, got "adagrad"/);
  wrong({ name: 1 }, "TypeError", /name .*got 1/);
  wrong({ name: "constructor" }, "RangeError", /name .*"constructor"/);
  wrong({ learningRate: -1 }, "RangeError", /learningRate must be a number from 0, got -1/);
  wrong({ learningRate: NaN }, "RangeError", /learningRate .*NaN/);
  wrong({ learningRate: Infinity }, "RangeError", /learningRate .*Infinity/);
  wrong({ learningRate: "1" }, "TypeError", /learningRate .*"1"/);
  wrong({ learningRate: null }, "TypeError", /learningRate .*null/);
  wrong({ betas: [0.9, 1] }, "RangeError", /betas must be two numbers from 0 and below 1, got 0\.9,1/);
  wrong({ betas: [-0.1, 0.9] }, "RangeError", /betas .*-0\.1,0\.9/);
  wrong({ betas: [0.9] }, "TypeError", /betas .*0\.9/);
  wrong({ betas: 0.9 }, "TypeError", /betas .*0\.9/);
  wrong({ eps: -1e-8 }, "RangeError", /eps .*-1e-8/);
  wrong({ weightDecay: -2 }, "RangeError", /weightDecay .*-2/);
  wrong({ amsgrad: 1 }, "TypeError", /amsgrad must be true or false, got 1/);
  wrong({ name: "sgd", momentum: -0.5 }, "RangeError", /momentum .*-0\.5/);
  wrong({ name: "sgd", momentum: 0.5, dampening: 2 }, "RangeError", /dampening .*from 0 to 1, got 2/);
  wrong({ name: "sgd", nesterov: true }, "RangeError", /nesterov needs momentum above 0 .*got 0 and 0/);
  wrong({ name: "sgd", nesterov: true, momentum: 0.9, dampening: 0.1 }, "RangeError", /got 0\.9 and 0\.1/);
  wrong({ name: "rmsprop", alpha: 1 }, "RangeError", /alpha .*below 1, got 1/);
  wrong({ lr: 1 }, "TypeError", /unknown option "lr"/);
});

Deno.test("a trainer keeps the state that its optimizer has in PyTorch", async () => {
  const states: [OptimizerOptions, string[]][] = [
    [{ name: "adam" }, ["exp_avg", "exp_avg_sq"]],
    [{ name: "adam", amsgrad: true }, ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"]],
    [{ name: "adamw" }, ["exp_avg", "exp_avg_sq"]],
    [{ name: "sgd" }, []],
    [{ name: "sgd", momentum: 0.9 }, ["momentum_buffer"]],
    [{ name: "rmsprop" }, ["square_avg"]],
  ];
  using model = await createModel({ inputSize: 2, hiddenSize: 3, outputSize: 1 });
  for (const [optimizer, names] of states) {
    const { step, slots } = await createTrainer(model, { optimizer }).state();
    assert.equal(step, 0);
    assert.deepEqual(Object.keys(slots), names);
    for (const slot of Object.values(slots)) {
      const shapes = Object.entries(slot).map(([name, { shape }]) => [name, shape]);
      assert.deepEqual(shapes, model.parameters.map(({ name, shape }) => [name, shape]));
      for (const { data } of Object.values(slot)) assert.ok(data.every((value) => value === 0));
    }
  }
});

Deno.test("dampening shortens every gradient but the first that enters SGD's momentum", async () => {
  using model = await createModel({ inputSize: 3, hiddenSize: 5, outputSize: 2 }, { seed: 4 });
  const [learningRate, momentum, dampening] = [0.5, 0.8, 0.3];
  const trainer = createTrainer(model, { optimizer: { name: "sgd", learningRate, momentum, dampening } });
  const batch = { x: Float32Array.from({ length: 4 * 6 * 3 }, (_, i) => Math.sin(i)), shape: [4, 6, 3] };
  const targets = Float32Array.of(1, 0, 0, 1, 1, 0, 0, 1), name = "fc.weight";
  const value = async () => (await model.stateDict())[name]!.data;
  const gradient = async () => (await model.gradients(batch, targets, { loss: "bce" })).parameters[name]!.data;
  let buffer = new Float64Array(10);
  for (let step = 0; step < 3; step++) {
    const before = await value(), fresh = step === 0 ? 1 : 1 - dampening;
    buffer = Float64Array.from(await gradient(), (g, i) => momentum * buffer[i]! + fresh * g);
    await trainer.step(batch, targets);
    (await value()).forEach((after, i) => {
      const expected = before[i]! - learningRate * buffer[i]!;
      assert.ok(Math.abs(after - expected) < 1e-6, `step ${step}: ${after} instead of ${expected}`);
    });
  }
});
