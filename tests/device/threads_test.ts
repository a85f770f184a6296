import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { createModel, createTrainer, type Model, predict, type Simd, train, type Trainer } from "../../mod.ts";
import type { Plan } from "../../core/device/device.ts";
import { WasmDevice } from "../../core/device/wasm.ts";
import { Random } from "../../core/random.ts";
import { normals, randomBatch } from "../batches.ts";
import { MOD, Place } from "../cli/run.ts";
import { assertIdentical } from "../close.ts";
import {
  batchOf,
  type Case,
  comparisons,
  configOf,
  fixtures,
  named,
  numbers,
  share,
  stepOf,
  trainerOptionsOf,
  type Trajectory,
} from "../golden.ts";

/** A model and a batch of several blocks, so that threads have something to share. */
const CONFIG = { inputSize: 8, hiddenSize: 32, outputSize: 2, dropout: 0.5 };
const { sequences: BATCH, targets: TARGETS } = randomBatch(new Random(1, "data"), CONFIG, {
  B: 64,
  T: 20,
  loss: "bce",
  lengths: true,
});

function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}

/** What a promise gives; an error where it takes so long that it must be stuck. */
async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing came within 20 s`)), 20_000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Counts the workers that are started until it is disposed. */
class WorkerCount implements Disposable {
  readonly #original = Worker;
  count = 0;

  constructor() {
    const started = () => this.count++;
    globalThis.Worker = class extends this.#original {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options);
        started();
      }
    };
  }

  [Symbol.dispose]() {
    globalThis.Worker = this.#original;
  }
}

/** All parameters in a row. */
async function parametersOf(model: Model): Promise<number[]> {
  return Object.values(await model.stateDict()).flatMap(({ data }) => [...data]);
}

for (const threads of [1, 4]) {
  for (const simd of ["plain", "relaxed", "wide"] as const) {
    const where = `${threads === 1 ? "one thread" : `${threads} threads`}, ${simd} SIMD`;

    Deno.test(`outputs, losses and gradients are PyTorch's: ${where}`, async () => {
      let worst = { share: 0, what: "" };
      for (const { name: fixture, read } of fixtures<Case>("cases-")) {
        const stored = read(), { sequences, targets, ...options } = batchOf(stored.config, stored.inputs);
        using model = await createModel(configOf(stored.config), { threads, simd });
        await model.loadStateDict(named(stored.params));
        const results = await model.gradients(sequences, targets, options);
        for (const { name, actual, expected, allowed } of comparisons(stored, results)) {
          const own = share(actual, expected, allowed);
          if (own > worst.share) worst = { share: own, what: `${name} of ${fixture}` };
        }
      }
      assert.ok(worst.share > 0 && worst.share <= 1, `${worst.what}: ${worst.share} of what is allowed`);
    });

    Deno.test(`training goes the way of PyTorch's: ${where}`, async () => {
      let worst = { share: 0, what: "" };
      const compare = (actual: ArrayLike<number>, expected: ArrayLike<number>, allowed: number, what: string) => {
        const own = share(actual, expected, allowed);
        if (own > worst.share) worst = { share: own, what };
      };
      for (const { name, read } of fixtures<Trajectory>("trajectories-")) {
        const { config, params, batches, float64, float32_error } = read();
        using model = await createModel(configOf(config), { threads, simd });
        await model.loadStateDict(named(params));
        const trainer = createTrainer(model, trainerOptionsOf(config));
        for (const [k, expected] of float64.losses.entries()) {
          const { loss } = await stepOf(trainer, config, batches[k % batches.length]!);
          compare([loss], [expected], 2e-6, `${name}, loss of step ${k}`);
          const after = float64.steps[k + 1];
          if (!after) continue;
          const state = await model.stateDict();
          for (const [parameter, tensor] of Object.entries(after.params)) {
            const allowed = 10 * float32_error[k + 1]! + 2e-6;
            compare(state[parameter]!.data, numbers(tensor), allowed, `${name}, ${parameter} after step ${k}`);
          }
        }
      }
      assert.ok(worst.share > 0 && worst.share <= 1, `${worst.what}: ${worst.share} of what is allowed`);
    });
  }
}

Deno.test("training a larger model gives the same bits on any number of threads, in either tiles", async () => {
  const config = { inputSize: 5, hiddenSize: 33, outputSize: 3, numLayers: 2, bidirectional: true, dropout: 0.3 };
  const random = new Random(2, "data"), loss = "crossEntropy" as const;
  const batches = Array.from({ length: 3 }, () => randomBatch(random, config, { B: 37, T: 20, loss, lengths: true }));
  const run = async (threads: number, simd: Simd) => {
    using workers = new WorkerCount();
    using model = await createModel(config, { threads, simd, seed: 5 });
    const trainer = createTrainer(model, { loss, clipNorm: 0.05, optimizer: { learningRate: 0.01 } });
    const results: number[] = [];
    for (const { sequences, targets } of batches) {
      const { loss, gradNorm, correct } = await trainer.step(sequences, targets);
      assert.ok(gradNorm > 0.05, `the gradient's norm is ${gradNorm}, so nothing is clipped`);
      results.push(loss, gradNorm, correct);
    }
    assert.equal(workers.count, threads === 1 ? 0 : threads, `workers started for ${threads} threads`);
    return [...results, ...await parametersOf(model)];
  };
  const expected = await run(1, "relaxed");
  for (const simd of ["relaxed", "wide"] as const) {
    for (const threads of [1, 2, 3, 4]) {
      assertIdentical(await run(threads, simd), expected, `${threads} threads, ${simd} SIMD`);
    }
  }
  const plain = await run(1, "plain");
  for (const threads of [2, 3, 4]) {
    assertIdentical(await run(threads, "plain"), plain, `${threads} threads, plain SIMD`);
  }
});

Deno.test("scratch space and programs above 2 GiB give the same bits, on one thread and on many", async () => {
  const run = async (threads: number) => {
    using model = await createModel({ ...CONFIG, dropout: 0 }, { threads });
    const { loss, parameters } = await model.gradients(BATCH, TARGETS, { loss: "bce" });
    const trainer = createTrainer(model);
    const step = await trainer.step(BATCH, TARGETS);
    const gradients = Object.values(parameters).flatMap(({ data }) => [...data]);
    return [loss, step.loss, step.gradNorm, ...gradients, ...await parametersOf(model)];
  };
  const expected = await run(1);
  assert.ok(expected[0]! > 0.1);
  // Every plan gets 2 GiB more, which nobody touches, between its tensors and the rest: that costs next to nothing.
  const { load } = WasmDevice.prototype, larger = new WeakMap<Plan, Plan>();
  let loads = 0;
  WasmDevice.prototype.load = function (plan, keep) {
    if (plan.programs.length === 0) return load.call(this, plan, keep);
    if (!larger.has(plan)) larger.set(plan, { ...plan, arena: plan.arena + 2 ** 29 });
    loads++;
    load.call(this, larger.get(plan)!, keep);
  };
  try {
    for (const threads of [1, 2, 4]) assertIdentical(await run(threads), expected, `${threads} threads`);
  } finally {
    WasmDevice.prototype.load = load;
  }
  assert.ok(loads >= 6);
});

Deno.test("whatever is under way when a model is disposed is rejected, and nothing hangs", async () => {
  const random = new Random(3, "data");
  let finished = 0, refused = 0;
  for (let k = 0; k < 30; k++) {
    const model = await createModel(CONFIG, { threads: 4 }), trainer = createTrainer(model);
    // Every third time, the workers are awake already.
    if (k % 3 === 0) await trainer.step(BATCH, TARGETS);
    let disposed = false, settledBefore = 0;
    const calls: Promise<unknown>[] = [
      ...Array.from({ length: 10 }, () => trainer.step(BATCH, TARGETS)),
      model.forward(BATCH),
      model.gradients(BATCH, TARGETS, { loss: "bce" }),
      predict(model, BATCH),
      model.stateDict(),
    ];
    const count = () => {
      if (!disposed) settledBefore++;
    };
    for (const call of calls) call.then(count, count);
    if (k % 5) await sleep(random.uniform() * 30);
    disposed = true;
    model.dispose();
    const results = await inTime(Promise.allSettled(calls), `disposed for the ${k + 1}. time`);
    const rejected = results.filter((result) => result.status === "rejected");
    assert.equal(results.length - rejected.length, settledBefore, "only what had ended before has a result");
    for (const { reason } of rejected) {
      assert.ok(reason instanceof TypeError, String(reason));
      assert.match(reason.message, /disposed/);
    }
    await assert.rejects(trainer.step(BATCH, TARGETS), { name: "TypeError", message: /disposed/ });
    finished += settledBefore;
    refused += rejected.length;
  }
  assert.ok(finished > 0 && refused > 0, `${finished} finished, ${refused} refused: the moments are badly chosen`);
});

Deno.test("calls on threads that nobody waits for in between give what calls one after the other give", async () => {
  const small = randomBatch(new Random(4, "data"), CONFIG, { B: 3, T: 7, loss: "bce", lengths: false });
  const calls = (model: Model, trainer: Trainer): (() => Promise<unknown>)[] => [
    () => trainer.step(BATCH, TARGETS),
    () => model.forward(BATCH),
    () => trainer.step(small.sequences, small.targets),
    () => model.stateDict(),
    () => model.gradients(BATCH, TARGETS, { loss: "bce" }),
    () => trainer.step(BATCH, TARGETS),
    () => predict(model, small.sequences),
    () => predict(model, BATCH),
    () => trainer.state(),
    () => model.forward(small.sequences),
    () => model.stateDict(),
  ];
  const run = async (threads: number, together: boolean) => {
    using model = await createModel(CONFIG, { threads });
    const results: unknown[] = [], all = calls(model, createTrainer(model));
    if (together) return await inTime(Promise.all(all.map((call) => call())), "calls together");
    for (const call of all) results.push(await call());
    return results;
  };
  const expected = await run(4, false);
  for (let k = 0; k < 5; k++) assert.deepEqual(await run(4, true), expected);
  assert.deepEqual(await run(1, true), expected);
});

Deno.test("workers that have ended by themselves are started again, and nothing is lost", async () => {
  const STEPS = 5;
  using workers = new WorkerCount();
  const run = async (threads: number, between: (started: number) => Promise<boolean>) => {
    using model = await createModel(CONFIG, { threads });
    const trainer = createTrainer(model), losses: number[] = [];
    for (let k = 0, paused = false; k < STEPS; k++) {
      const { loss } = await inTime(trainer.step(BATCH, TARGETS), `step ${k}`);
      losses.push(loss);
      if (!paused) paused = await between(workers.count);
    }
    return [...losses, ...await parametersOf(model)];
  };
  const expected = await run(4, () => Promise.resolve(true)), first = workers.count;
  assert.equal(first, 4);
  // A worker ends after half a second without work; a busy machine may take longer.
  let pauses = 0;
  const found = await run(4, async (started) => {
    if (started > first + 4) return true;
    pauses++;
    await sleep(700 * pauses);
    return false;
  });
  assert.ok(workers.count > first + 4, "no worker was started again");
  assertIdentical(found, expected, "with a pause");
});

Deno.test("while threads work, timers go on", async () => {
  const config = { inputSize: 8, hiddenSize: 128, outputSize: 2 }, STEPS = 30;
  const { sequences, targets } = randomBatch(new Random(5, "data"), config, {
    B: 128,
    T: 20,
    loss: "bce",
    lengths: false,
  });
  using model = await createModel(config, { threads: 4 });
  const trainer = createTrainer(model);
  await trainer.step(sequences, targets);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 20);
  try {
    for (let k = 0; k < STEPS; k++) await trainer.step(sequences, targets);
  } finally {
    clearInterval(timer);
  }
  assert.ok(ticks >= STEPS / 10, `${ticks} ticks in ${STEPS} steps`);
});

Deno.test("a signal stops training on threads within a batch", async () => {
  const I = 8, T = 20, N = 64 * 50, config = { inputSize: I, hiddenSize: 128, outputSize: 2 };
  const x = normals(new Random(6, "data"), N * T * I), targets = new Float32Array(2 * N).fill(0.5);
  using model = await createModel(config, { threads: 4 });
  const stop = new AbortController(), reason = new Error("enough");
  let batches = 0, atAbort = Infinity;
  const timer = setTimeout(() => {
    atAbort = batches;
    stop.abort(reason);
  }, 100);
  const options = { epochs: 100, batchSize: 64, signal: stop.signal, onBatch: () => void batches++ };
  try {
    await assert.rejects(train(model, { x, shape: [N, T, I], targets }, options), reason);
  } finally {
    clearTimeout(timer);
  }
  assert.ok(batches > 0 && batches <= atAbort + 1, `${batches} batches, ${atAbort} of them before the signal`);
});

/** A program of its own: a model on 4 threads, some steps, then a line of JSON with what they came to. */
function program({ before = "", steps = 3, after = "" }: { before?: string; steps?: number; after?: string } = {}) {
  return `
    ${before}
    const { createModel, createTrainer } = await import(${JSON.stringify(pathToFileURL(MOD).href)});
    const B = 64, T = 20, I = 8;
    const x = Float32Array.from({ length: B * T * I }, (_, i) => Math.sin(i * 0.37));
    const targets = Float32Array.from({ length: B * 2 }, (_, i) => i & 1);
    const model = await createModel({ inputSize: I, hiddenSize: 32, outputSize: 2 }, { threads: 4, seed: 3 });
    const trainer = createTrainer(model), losses = [], errors = [];
    for (let k = 0; k < ${steps}; k++) {
      try {
        losses.push((await trainer.step({ x, shape: [B, T, I] }, targets)).loss);
      } catch (error) {
        errors.push(String(error));
      }
    }
    console.log(JSON.stringify({ losses, errors, description: model.device.description }));
    ${after}
  `;
}

interface Said {
  readonly losses: number[];
  readonly errors: string[];
  readonly description: string;
}

/** Runs a program; fails where it does not end well by itself. `errors`: workers throw, which Deno writes down. */
async function runProgram(text: string, { errors = false } = {}): Promise<Said> {
  await using place = await Place.make();
  place.write("program.js", text);
  const killed = new AbortController();
  const timer = setTimeout(() => killed.abort(), 15_000);
  try {
    const { code, signal, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--quiet", "program.js"],
      cwd: place.path,
      env: { NO_COLOR: "1" },
      stdin: "null",
      signal: killed.signal,
    }).output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    const end = `its end is code ${code}, signal ${signal}; it wrote: ${out}${err}`;
    assert.ok(code === 0 && (errors || err === ""), end);
    return JSON.parse(out!);
  } finally {
    clearTimeout(timer);
  }
}

/** The losses of the program, on one thread. */
async function expectedLosses(steps: number): Promise<number[]> {
  const B = 64, T = 20, I = 8;
  const x = Float32Array.from({ length: B * T * I }, (_, i) => Math.sin(i * 0.37));
  const targets = Float32Array.from({ length: B * 2 }, (_, i) => i & 1);
  using model = await createModel({ inputSize: I, hiddenSize: 32, outputSize: 2 }, { threads: 1, seed: 3 });
  const trainer = createTrainer(model), losses: number[] = [];
  for (let k = 0; k < steps; k++) losses.push((await trainer.step({ x, shape: [B, T, I] }, targets)).loss);
  return losses;
}

/** A program's lines that change the text of the workers, and fail where there is nothing to change. */
function changeWorker(from: string, to: string): string {
  return `
    const Original = Blob;
    globalThis.Blob = class extends Original {
      constructor([text], options) {
        const changed = text.replace(${JSON.stringify(from)}, () => ${JSON.stringify(to)});
        if (changed === text) throw new Error("nothing to change in: " + text);
        super([changed], options);
      }
    };
  `;
}

Deno.test("a program that never disposes its model ends by itself", async () => {
  const { losses, errors, description } = await runProgram(program());
  assert.deepEqual({ losses, errors }, { losses: await expectedLosses(3), errors: [] });
  assert.match(description, /up to 4 threads$/);
});

Deno.test("where shared memory cannot be passed to workers, one thread does the work, and says so", async () => {
  const before = `Worker.prototype.postMessage = () => { throw new DOMException("no sharing", "DataCloneError"); };`;
  const { losses, errors, description } = await runProgram(program({ before, after: "model.dispose();" }));
  assert.deepEqual({ losses, errors }, { losses: await expectedLosses(3), errors: [] });
  assert.match(description, /1 thread: shared memory cannot be passed to workers here$/);
});

Deno.test("where workers cannot be told anything, a program that never disposes its model ends by itself", async () => {
  const before = `Worker.prototype.postMessage = () => { throw new DOMException("no sharing", "DataCloneError"); };`;
  assert.deepEqual((await runProgram(program({ before }))).losses, await expectedLosses(3));
});

Deno.test("where workers fail as they start, one thread does the work, and says so", async () => {
  const before = changeWorker("scope.onmessage = ", `throw new Error("no start"); scope.onmessage = `);
  const { losses, errors, description } = await runProgram(program({ before }), { errors: true });
  assert.deepEqual({ losses, errors }, { losses: await expectedLosses(3), errors: [] });
  assert.match(description, /1 thread: workers cannot be started here: .*no start/);
});

Deno.test("where every worker fails at its first task, every step is rejected", async () => {
  const before = changeWorker("run(words[", `throw new Error("no task"); run(words[`);
  const { losses, errors } = await runProgram(program({ before }), { errors: true });
  assert.deepEqual(losses, []);
  assert.equal(errors.length, 3);
  for (const error of errors) assert.match(error, /^Error: Cannot use model: a thread failed: .*no task/);
});

Deno.test("where one worker of four fails, a step gives the right loss or is rejected", async () => {
  const expected = await expectedLosses(20);
  for (
    const [from, to] of [
      ["scope.onmessage = ", `if (Math.random() < 0.25) throw new Error("by chance"); scope.onmessage = `],
      ["setWide(cells[", `if (slot === 2) throw new Error("at work"); setWide(cells[`],
      ["run(words[", `if (slot === 1) throw new Error("at a task"); run(words[`],
    ] as const
  ) {
    const text = program({ before: changeWorker(from, to), steps: 20, after: "model.dispose();" });
    const { losses, errors } = await runProgram(text, { errors: true });
    assert.equal(losses.length + errors.length, 20);
    assertIdentical(losses, expected.slice(0, losses.length), "losses");
    for (const error of errors) assert.match(error, /a thread failed/);
  }
});

Deno.test("where a worker fails, a program that never disposes its model ends by itself", async () => {
  for (const from of ["setWide(cells[", "run(words["]) {
    const before = changeWorker(from, `if (slot === 1) throw new Error("slot 1"); ${from}`);
    await runProgram(program({ before, steps: 2 }), { errors: true });
  }
});

Deno.test("where workers cannot even be made, steps are done or rejected, and none hangs", async () => {
  const before =
    `globalThis.Worker = class { constructor() { throw new DOMException("no workers", "SecurityError"); } };`;
  const { losses, errors } = await runProgram(program({ before, steps: 8, after: "model.dispose();" }));
  assert.equal(losses.length + errors.length, 8);
  assertIdentical(losses, (await expectedLosses(8)).slice(0, losses.length), "losses");
});
