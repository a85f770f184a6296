import assert from "node:assert/strict";
import { createModel, createTrainer, type Model, sampleDataset, type Trainer, type TrainerOptions } from "../../mod.ts";

const CONFIG = { inputSize: 5, hiddenSize: 6, outputSize: 2 };
const DATA = sampleDataset({ size: 12, steps: 4, seed: 1 });

/** What a trainer has come to after three steps, to the bit. */
async function threeSteps(options: TrainerOptions, dropout = 0.5) {
  using model = await createModel({ ...CONFIG, dropout }, { seed: 1 });
  const trainer = createTrainer(model, options);
  const results = [];
  for (let step = 0; step < 3; step++) results.push(await trainer.step(DATA, DATA.targets));
  return { results, state: await trainer.state(), parameters: await model.stateDict() };
}

/** Norm and largest absolute value of how far the parameters went in a step. */
async function move(options: TrainerOptions): Promise<{ norm: number; most: number; gradNorm: number }> {
  using model = await createModel(CONFIG, { seed: 1 });
  const before = await model.stateDict();
  const optimizer = { name: "sgd", learningRate: 1 } as const;
  const { gradNorm } = await createTrainer(model, { ...options, optimizer }).step(DATA, DATA.targets);
  const after = await model.stateDict();
  const moved = Object.entries(before).flatMap(([name, { data }]) =>
    Array.from(data, (value, i) => value - after[name]!.data[i]!)
  );
  return { norm: Math.hypot(...moved), most: Math.max(...moved.map(Math.abs)), gradNorm };
}

async function withModel(run: (model: Model) => void | Promise<void>) {
  using model = await createModel(CONFIG, { seed: 3 });
  await run(model);
}

Deno.test("a trainer fills in its options", () =>
  withModel((model) => {
    const { options } = createTrainer(model);
    const { optimizer, ...rest } = options;
    assert.deepEqual(rest, { loss: "bce", seed: 3 });
    assert.equal(optimizer.name, "adam");
    const given = { loss: "mse", clipNorm: 1, clipValue: 0.5, seed: 8 } as const;
    const { optimizer: _, ...taken } = createTrainer(model, given).options;
    assert.deepEqual(taken, given);
  }));

Deno.test("bad options of a trainer are refused with name and value", () =>
  withModel((model) => {
    const wrong = (options: object, name: string, message: RegExp) =>
      assert.throws(() => createTrainer(model, options), { name, message });
    wrong({ loss: "hinge" }, "RangeError", /loss must be one of bce, crossEntropy, mse, mae, .*, got "hinge"/);
    wrong({ loss: 1 }, "TypeError", /loss .*got 1/);
    wrong({ clipNorm: 0 }, "RangeError", /clipNorm must be a number above 0, got 0/);
    wrong({ clipNorm: "1" }, "TypeError", /clipNorm .*"1"/);
    wrong({ clipValue: -1 }, "RangeError", /clipValue .*-1/);
    wrong({ clipValue: NaN }, "RangeError", /clipValue .*NaN/);
    wrong({ seed: 0.5 }, "RangeError", /seed .*0\.5/);
    wrong({ seed: -1 }, "RangeError", /seed .*-1/);
    wrong({ optimiser: {} }, "TypeError", /unknown option "optimiser"/);
    wrong({ optimizer: { name: "sgd", betas: [0, 0] } }, "TypeError", /"sgd" has no option "betas"/);
    assert.throws(() => createTrainer({} as Model), { name: "TypeError", message: /createModel/ });
  }));

Deno.test("a refused trainer leaves the trainer before it in charge", () =>
  withModel(async (model) => {
    const trainer = createTrainer(model);
    assert.throws(() => createTrainer(model, { clipNorm: 0 }));
    assert.equal((await trainer.step(DATA, DATA.targets)).loss > 0, true);
  }));

Deno.test("a trainer that was replaced refuses to do anything", () =>
  withModel(async (model) => {
    const stale = createTrainer(model), trainer = createTrainer(model, { loss: "mse" });
    const wrong = { name: "TypeError", message: /another trainer was made/ };
    await assert.rejects(stale.step(DATA, DATA.targets), wrong);
    await assert.rejects(stale.state(), wrong);
    await assert.rejects(trainer.state().then((state) => stale.loadState(state)), wrong);
    assert.equal(model.loss, "mse");
    await trainer.step(DATA, DATA.targets);
    assert.deepEqual([stale.steps, trainer.steps], [0, 1]);
  }));

Deno.test("a step refuses a batch that does not fit, and does not count it", () =>
  withModel(async (model) => {
    const trainer = createTrainer(model), before = await model.stateDict();
    const { x, shape, targets } = DATA;
    await assert.rejects(trainer.step({ x, shape: [12, 5, 4] }, targets), {
      name: "RangeError",
      message: /\[12,5,4\]/,
    });
    await assert.rejects(trainer.step(DATA, targets.slice(1)), { name: "RangeError", message: /targets .*24.*23/ });
    await assert.rejects(trainer.step(DATA, new Int32Array(12)), { name: "TypeError", message: /Int32Array/ });
    await assert.rejects(trainer.step({ x, shape }, targets, { dropoutMask: new Float32Array(3) }), RangeError);
    assert.equal(trainer.steps, 0);
    assert.deepEqual(await model.stateDict(), before);
  }));

Deno.test("the loss of a step is the loss before it, and right rows are counted", () =>
  withModel(async (model) => {
    const { loss } = await model.gradients(DATA, DATA.targets, { loss: "bce" });
    const { logits: { data } } = await model.forward(DATA);
    const right = Array.from({ length: 12 }, (_, i) =>
      Number((data[2 * i]! >= data[2 * i + 1]!) === (DATA.targets[2 * i] === 1)));
    const result = await createTrainer(model).step(DATA, DATA.targets);
    assert.equal(result.loss, loss);
    assert.equal(
      result.correct,
      right.reduce((a, b) =>
        a + b
      ),
    );
    assert.ok(result.correct > 0 && result.correct < 12, "both right and wrong rows are needed to tell");
  }));

Deno.test("the same seed gives the same steps to the bit, another seed another dropout", async () => {
  assert.deepEqual(await threeSteps({ seed: 4 }), await threeSteps({ seed: 4 }));
  const [four, five] = [await threeSteps({ seed: 4 }), await threeSteps({ seed: 5 })];
  assert.notEqual(four.results[0]!.loss, five.results[0]!.loss);
  const [own, one] = [await threeSteps({}), await threeSteps({ seed: 1 })];
  assert.deepEqual(own, one, "the model's seed is the default");
  const none = [await threeSteps({ seed: 4 }, 0), await threeSteps({ seed: 5 }, 0)];
  assert.deepEqual(none[0], none[1], "without dropout nothing depends on the seed");
});

Deno.test("each step draws another dropout mask", async () => {
  using model = await createModel({ ...CONFIG, dropout: 0.5 }, { seed: 1 });
  const trainer = createTrainer(model, { optimizer: { name: "sgd", learningRate: 0 } });
  const losses = new Set<number>();
  for (let step = 0; step < 5; step++) losses.add((await trainer.step(DATA, DATA.targets)).loss);
  assert.equal(losses.size, 5);
});

Deno.test("a dropout mask that is given takes the random one's place", async () => {
  using model = await createModel({ ...CONFIG, dropout: 0.5 }, { seed: 1 });
  const dropoutMask = Float32Array.from({ length: 12 * 6 }, (_, i) => i % 3);
  const { loss } = await model.gradients(DATA, DATA.targets, { loss: "bce", dropoutMask });
  assert.equal((await createTrainer(model).step(DATA, DATA.targets, { dropoutMask })).loss, loss);
});

Deno.test("clipping limits how far a step goes", async () => {
  const free = await move({});
  assert.ok(Math.abs(free.norm / free.gradNorm - 1) < 1e-4, `${free.norm} of ${free.gradNorm}`);
  const byNorm = await move({ clipNorm: free.norm / 10 });
  assert.ok(Math.abs(byNorm.norm / (free.norm / 10) - 1) < 1e-3, `${byNorm.norm}`);
  assert.equal(byNorm.gradNorm, free.gradNorm, "the norm is that before clipping");
  const byValue = await move({ clipValue: free.most / 10 });
  assert.ok(Math.abs(byValue.most / (free.most / 10) - 1) < 1e-3, `${byValue.most}`);
  const loose = await move({ clipNorm: free.norm * 10, clipValue: free.most * 10 });
  assert.deepEqual(loose, free);
});

Deno.test("a trainer's state can be carried to another and goes on to the same bits", async () => {
  const options: TrainerOptions = { optimizer: { name: "adam", amsgrad: true }, seed: 2 };
  const steps = async (trainer: Trainer, count: number) => {
    for (let i = 0; i < count; i++) await trainer.step(DATA, DATA.targets);
  };
  using model = await createModel({ ...CONFIG, dropout: 0.5 }, { seed: 1 });
  const trainer = createTrainer(model, options);
  await steps(trainer, 2);
  using copy = await createModel({ ...CONFIG, dropout: 0.5 }, { seed: 9 });
  await copy.loadStateDict(await model.stateDict());
  const next = createTrainer(copy, options);
  await next.loadState(await trainer.state());
  assert.equal(next.steps, 2);
  await steps(trainer, 2);
  await steps(next, 2);
  assert.deepEqual(await copy.stateDict(), await model.stateDict());
  assert.deepEqual(await next.state(), await trainer.state());
});

Deno.test("a wrong optimizer state is refused and named", () =>
  withModel(async (model) => {
    const trainer = createTrainer(model), good = await trainer.state();
    const wrong = (state: object, name: string, message: RegExp) =>
      assert.rejects(trainer.loadState({ ...good, ...state }), { name, message });
    const { exp_avg, exp_avg_sq } = good.slots as Record<string, NonNullable<typeof good.slots[string]>>;
    await wrong({ step: -1 }, "RangeError", /step .*-1/);
    await wrong({ step: 1.5 }, "RangeError", /step .*1\.5/);
    await wrong({ slots: { exp_avg } }, "TypeError", /missing state "exp_avg_sq"/);
    await wrong({ slots: { ...good.slots, momentum_buffer: exp_avg } }, "TypeError", /unknown state "momentum_buffer"/);
    await wrong({ slots: { exp_avg_sq, exp_avg: { ...exp_avg, "fc.bias": undefined } } }, "TypeError", /"fc.bias"/);
    const bias = { shape: [3], data: new Float32Array(3) };
    await wrong({ slots: { exp_avg_sq, exp_avg: { ...exp_avg, "fc.bias": bias } } }, "RangeError", /"fc.bias".*\[3\]/);
    assert.equal(trainer.steps, 0);
  }));

Deno.test("a disposed model is not trained", async () => {
  const model = await createModel(CONFIG), trainer = createTrainer(model);
  model.dispose();
  await assert.rejects(trainer.step(DATA, DATA.targets), { name: "TypeError", message: /disposed/ });
  assert.throws(() => createTrainer(model), { name: "TypeError", message: /disposed/ });
});

Deno.test("a model that was made for a loss is trained with no other", async () => {
  using model = await createModel({ inputSize: 5, hiddenSize: 3, outputSize: 2, loss: "bce" });
  const wrong = { name: "TypeError", message: /the model was made for the loss "bce", got "mse"/ };
  assert.throws(() => createTrainer(model, { loss: "mse" }), wrong);
  assert.equal(createTrainer(model).options.loss, "bce");
  using other = await createModel({ inputSize: 5, hiddenSize: 3, outputSize: 2, loss: "mse" });
  assert.equal(createTrainer(other).options.loss, "mse");
});
