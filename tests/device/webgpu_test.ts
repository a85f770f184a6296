/** What is WebGPU's alone; what it computes is tested together with the CPU in tests/model. */

import assert from "node:assert/strict";
import { Arena, from, tensorAt } from "../../core/device/arena.ts";
import type { Device } from "../../core/device/device.ts";
import { type Call, type KernelName, KERNELS } from "../../core/device/kernels.ts";
import { shaderOf } from "../../core/device/shaders.ts";
import { WasmDevice } from "../../core/device/wasm.ts";
import { WebGpuDevice } from "../../core/device/webgpu.ts";
import { Random } from "../../core/random.ts";
import {
  createModel,
  createTrainer,
  type EpochRecord,
  evaluate,
  formatCheckpoint,
  type ModelConfig,
  type ModelOptions,
  parseCheckpoint,
  predict,
  randomSplit,
  sampleDataset,
  train,
  Training,
} from "../../mod.ts";
import { assertWorks, Place, runDeno } from "../cli/run.ts";
import { normals, randomBatch } from "../batches.ts";
import { assertClose, assertIdentical, largest } from "../close.ts";
import { WEBGPU } from "../devices.ts";
import { runCalls } from "./calls.ts";

const { ignore, options: gpu } = WEBGPU;
const JOB = { inputSize: 5, hiddenSize: 10, outputSize: 2, dropout: 0.5 };
const [DATA, TEST] = randomSplit(sampleDataset({ seed: 0 }), [0.8, 0.2], 0) as [
  ReturnType<typeof sampleDataset>,
  ReturnType<typeof sampleDataset>,
];

/** Kernels of the CPU alone: for one sequence by itself, and for tests. */
const CPU_ONLY = /Single$|^packColumns$|^packParts$|^randomWords$|^measureSteps$|^activation$/;

Deno.test("WebGPU: every kernel that training and prediction need has a shader", () => {
  for (const name of Object.keys(KERNELS) as KernelName[]) {
    if (CPU_ONLY.test(name)) assert.throws(() => shaderOf(name), TypeError);
    else assert.ok(Object.keys(shaderOf(name).passes).length > 0, name);
  }
});

/** The dropout mask (T, groups, F, 8) that a device draws. */
async function dropoutMask(device: Device, p: number): Promise<Float32Array> {
  const T = 3, groups = 2, F = 7, ldm = 64;
  const mask = tensorAt(0, T * groups * ldm),
    words = tensorAt(512, 16);
  const control = tensorAt(528, 16);
  const args = { mask, words, control, T, groups, row0: 8, F, ldm, stream: 2, p };
  const program = [[[{ kernel: "dropoutMask" as const, arguments: args }]]];
  device.load({ arena: 544, scratch: 0, parallel: false, programs: [program] }, 0);
  device.write(mask, new Float32Array(mask.length).fill(9));
  device.write(control, Uint32Array.of(0xfedcba98, 0x12345, 77));
  await device.run(program);
  const drawn = await device.read(mask);
  device.dispose();
  return drawn;
}

Deno.test("WebGPU: dropout masks are the CPU's to the bit", { ignore }, async () => {
  for (const p of [0.5, 0.1, 1 / 3, 0.9, 0.999, 2 ** -30]) {
    const own = await dropoutMask(await WebGpuDevice.open(), p);
    assertIdentical(own, await dropoutMask(await WasmDevice.open(1), p), `p = ${p}`);
    assert.ok(own.includes(9), "what is no feature's is left alone");
  }
});

Deno.test("WebGPU: the sample job's first 10 epochs are the CPU's", { ignore }, async () => {
  const histories = await Promise.all([gpu, {}].map(async (options) => {
    using model = await createModel(JOB, { ...options, seed: 0 });
    return await train(model, DATA, { epochs: 10, validation: TEST });
  }));
  const [own, expected] = histories as [typeof histories[0], typeof histories[0]];
  assert.equal(own.length, 10);
  for (const [i, { trainLoss, validationLoss, trainAccuracy, validationAccuracy }] of expected.entries()) {
    assertClose([own[i]!.trainLoss], [trainLoss], 1e-3 * trainLoss, `training loss of epoch ${i + 1}`);
    assertClose(
      [own[i]!.validationLoss!],
      [validationLoss!],
      1e-3 * validationLoss!,
      `validation loss of epoch ${i + 1}`,
    );
    assertClose(
      [own[i]!.trainAccuracy, own[i]!.validationAccuracy!],
      [trainAccuracy, validationAccuracy!],
      0.01,
      "accuracy",
    );
  }
});

/** Gradients of a batch and the losses of steps after it, as flat lists by name. */
async function results(config: ModelConfig, { B, T }: { B: number; T: number }, options: ModelOptions) {
  const random = new Random(5, "data"), loss = "crossEntropy";
  const { sequences, targets } = randomBatch(random, config, { B, T, loss, lengths: true });
  using model = await createModel(config, { ...options, seed: 4 });
  const { outputs: { values: _, ...outputs }, parameters, inputs } = await model.gradients(sequences, targets, {
    loss,
  });
  const trainer = createTrainer(model, { loss, clipNorm: 0.1 }), steps: number[] = [];
  for (let i = 0; i < 3; i++) {
    const { loss, gradNorm } = await trainer.step(sequences, targets);
    steps.push(loss, gradNorm);
  }
  const arrays = Object.entries({ ...outputs, ...parameters, ...inputs });
  return { ...Object.fromEntries(arrays.map(([name, { data }]) => [name, data])), steps };
}

async function assertLikeTheCpu(config: ModelConfig, size: { B: number; T: number }) {
  const own = await results(config, size, gpu), expected = await results(config, size, {});
  for (const [name, data] of Object.entries(expected)) {
    assertClose(
      own[name as keyof typeof own],
      data,
      2e-5 * largest(data) + 1e-9,
      `${name} with H = ${config.hiddenSize}`,
    );
  }
}

// Up to 256 units, a workgroup goes through all steps; beyond, each step is a dispatch of tiles of 8 units and 4 groups.
for (
  const [H, B, T, rest] of [
    [256, 5, 4, {}],
    [257, 9, 3, { bidirectional: true }],
    [300, 41, 3, { numLayers: 2, layerDropout: 0 }],
  ] as const
) {
  Deno.test(`WebGPU: ${H} units, more than workgroup memory holds the weights of, give what the CPU gives`, {
    ignore,
  }, async () => {
    await assertLikeTheCpu({ inputSize: 3, hiddenSize: H, outputSize: 4, ...rest }, { B, T });
  });
}

/** States, gates and gradients of a GRU's two kernels by themselves: a whole model is too large for some adapters. */
async function gruKernels(device: Device, H: number, reverse: number): Promise<Float32Array[]> {
  const T = 3,
    groups = 1,
    M = 3 * H,
    ld = 8 * H + 16,
    ldg = 32 * H,
    arena = new Arena(),
    random = new Random(6, "data");
  const w = arena.allocate(M * H), forward = arena.allocate((M + 5) * H), backward = arena.allocate((H + 5) * M);
  const bias = arena.allocate(4 * H + 9), mask = arena.allocate(T * 8), gates = arena.allocate(T * ldg);
  const lengths = arena.allocate(8), h = arena.allocate((T + 2) * ld), dh = arena.allocate((T + 2) * ld);
  const sizes = { T, groups, H, ldg, reverse };
  const task: Call[] = [
    { kernel: "packForward", arguments: { panels: forward, w, M, K: H, ldw: H, rotate: 0 } },
    { kernel: "packBackward", arguments: { panels: backward, w, M: H, K: M, ldw: H, rotate: 0 } },
    { kernel: "activeLanes", arguments: { mask, lengths, T, rows: 8 } },
    { kernel: "gruForward", arguments: { h, gates, panels: forward, bias, mask, ldh: ld, ...sizes } },
  ];
  const back: Call = {
    kernel: "gruBackward",
    arguments: { dh, gates, h, panels: backward, mask, lddh: ld, ldh: ld, ...sizes },
  };
  const programs = [[[task]], [[[back]]]];
  device.load({ arena: arena.length, scratch: 0, parallel: false, programs }, 0);
  for (const [tensor, scale] of [[w, 1 / 32], [bias, 1], [gates, 1], [h, 1], [dh, 1]] as const) {
    device.write(tensor, normals(random, tensor.length, scale));
  }
  // The last row has one step, the rest all.
  device.write(lengths, Int32Array.of(T, T, T, T, T, T, T, 1));
  await device.run(programs[0]!);
  const states = await device.read(from(h, ld, T * ld));
  await device.run(programs[1]!);
  const first = reverse ? T + 1 : 0;
  const found = [states, await device.read(gates), await device.read(from(dh, first * ld, 8 * H))];
  device.dispose();
  return found;
}

Deno.test("WebGPU: kernels of a GRU with 1030 units give what the CPU's give, either way", { ignore }, async () => {
  for (const reverse of [0, 1]) {
    const own = await gruKernels(await WebGpuDevice.open(), 1030, reverse);
    const expected = await gruKernels(await WasmDevice.open(1), 1030, reverse);
    for (const [i, name] of ["states", "gates", "gradient"].entries()) {
      assertClose(own[i]!, expected[i]!, 2e-5 * largest(expected[i]!), `${name}, reverse ${reverse}`);
    }
  }
});

/** The same of an LSTM. */
async function lstmKernels(device: Device, H: number) {
  const T = 3, random = new Random(6, "data"), slots = (T + 2) * 8 * H, gates = normals(random, T * 32 * H);
  const panels = new Float32Array(20 * H * (H + 5)), w = normals(random, 4 * H * H, 1 / 32);
  const h = normals(random, slots),
    c = normals(random, slots),
    dh = normals(random, slots),
    dc = normals(random, 8 * H);
  const contents = { w, forward: panels, backward: panels, gates, h, c, dh, dc, mask: new Float32Array(T * 8) };
  const lengths = Int32Array.of(T, T, T, T, T, T, T, 1);
  const results = await runCalls(device, { ...contents, lengths }, (task, { forward, backward, ...t }) => {
    const sizes = { T, groups: 1, H, ldc: 8 * H, ldg: 32 * H, reverse: 0 };
    task.call("activeLanes", { mask: t.mask, lengths: t.lengths, T, rows: 8 });
    task.call("packForward", { panels: forward, w: t.w, M: 4 * H, K: H, ldw: H, rotate: 0 });
    task.call("packBackward", { panels: backward, w: t.w, M: H, K: 4 * H, ldw: H, rotate: 0 });
    task.call("lstmForward", { h: t.h, c: t.c, gates: t.gates, panels: forward, mask: t.mask, ldh: 8 * H, ...sizes });
    const back = { dh: t.dh, dc: t.dc, gates: t.gates, c: t.c, panels: backward, mask: t.mask };
    task.call("lstmBackward", { ...back, lddh: 8 * H, ...sizes });
  });
  device.dispose();
  return { ...results, dh: results.dh.subarray(0, 8 * H) };
}

/** Runs `body` on adapters that allow no more than every one does, but for the size of buffers. */
async function withDefaultLimits(body: () => Promise<void>): Promise<void> {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = function ({ requiredLimits: all = {} } = {}) {
    const { maxBufferSize, maxStorageBufferBindingSize } = all;
    return requestDevice.call(this, { requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
  };
  try {
    await body();
  } finally {
    GPUAdapter.prototype.requestDevice = requestDevice;
  }
}

Deno.test("WebGPU: the limits that every adapter has suffice", { ignore }, async () => {
  await withDefaultLimits(async () => {
    for (const H of [31, 100, 256, 264]) {
      await assertLikeTheCpu({ inputSize: 3, hiddenSize: H, outputSize: 4 }, { B: 6, T: 4 });
      const own = await lstmKernels(await WebGpuDevice.open(), H),
        expected = await lstmKernels(await WasmDevice.open(1), H);
      for (const name of ["h", "gates", "dh"] as const) {
        assertClose(own[name], expected[name], 2e-5 * largest(expected[name]), `${name} of an LSTM with ${H} units`);
      }
    }
  });
});

Deno.test("WebGPU: what an adapter allows is asked for, and a workgroup keeps to it", { ignore }, async () => {
  const descriptors: GPUDeviceDescriptor[] = [], { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = function (descriptor) {
    descriptors.push(descriptor!);
    return requestDevice.call(this, descriptor);
  };
  try {
    (await WebGpuDevice.open()).dispose();
  } finally {
    GPUAdapter.prototype.requestDevice = requestDevice;
  }
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize } = adapter!.limits;
  const asked = descriptors[0]!.requiredLimits!;
  assert.equal(asked.maxComputeInvocationsPerWorkgroup, maxComputeInvocationsPerWorkgroup);
  assert.equal(asked.maxComputeWorkgroupStorageSize, maxComputeWorkgroupStorageSize);
});

Deno.test("WebGPU: the tiles of a recurrent cell's step fit the memory that every adapter has", () => {
  // Asked of the text: not every driver refuses a workgroup that asks for more.
  for (const cell of ["gru", "lstm"]) {
    const text = Deno.readTextFileSync(new URL(`../../core/shaders/${cell}.wgsl`, import.meta.url));
    const constant = (name: string) => Number(text.match(new RegExp(`const ${name} = (\\d+)u;`))![1]);
    const vectors = constant("TILE_VECTORS"), gates = constant("PARTS"), depth = constant("TILE_DEPTH");
    assert.ok(vectors >= depth * 9 && vectors >= 3 * 64 * gates, cell);
    assert.ok(16 * vectors + 4 * depth * gates * 8 <= 16384, cell);
  }
});

Deno.test("WebGPU: workgroups of a recurrent cell fit the limits, whatever they are, and use them", () => {
  for (const [invocations, memory] of [[256, 16384], [1024, 32768], [1024, 49152], [2048, 65536]] as const) {
    const limits = { maxComputeInvocationsPerWorkgroup: invocations, maxComputeWorkgroupStorageSize: memory };
    for (let H = 1; H <= 256; H++) {
      for (
        const [kernel, gates] of [["gruForward", 3], ["gruBackward", 3], ["lstmForward", 4], [
          "lstmBackward",
          4,
        ]] as const
      ) {
        const { UNITS, SLICES } = shaderOf(kernel).constants!({ H } as never, limits) as Record<string, number>;
        // The state, and the sums of the slices for each gate; on the way back the gates' gradients.
        const forward = UNITS! + gates * UNITS! * (SLICES! - 1), backward = gates * UNITS!;
        assert.ok(16 * Math.max(forward, backward) <= memory, `${16 * forward} bytes for ${H} units`);
        assert.ok(UNITS! >= H && UNITS! * SLICES! <= invocations);
        if (H === 64 && invocations >= 256) assert.equal(SLICES, 4);
      }
    }
  }
});

Deno.test("WebGPU: a checkpoint resumes on the other device, either way", { ignore }, async () => {
  const two = async (options: typeof gpu) => {
    using model = await createModel(JOB, { ...options, seed: 3 });
    const training = new Training(model, DATA, { epochs: 2, validation: TEST });
    await training.run();
    return await formatCheckpoint({ training, model });
  };
  const four = async (text: string, options: typeof gpu) => {
    const { model, trainer, training } = await parseCheckpoint(text, "checkpoint", options);
    using _ = model;
    const history = await train(model, DATA, {
      trainer: trainer!,
      ...training!.options,
      epochs: 4,
      state: training!.state,
      validation: TEST,
    });
    const { probabilities } = await predict(model, TEST);
    return [...history.map(({ validationLoss }) => validationLoss!), ...probabilities.data];
  };
  const onCpu = await two({}), onGpu = await two(gpu), expected = await four(onCpu, {});
  assert.equal(JSON.parse(onGpu).arithmetic, "webgpu");
  assertClose(await four(onCpu, gpu), expected, 1e-5, "from CPU to GPU");
  assertClose(await four(onGpu, {}), expected, 1e-5, "from GPU to CPU");
});

Deno.test(
  "WebGPU: results that come later come in order, and a loss that is not finite is placed",
  { ignore },
  async () => {
    const batches: number[] = [];
    using model = await createModel(JOB, { ...gpu, seed: 0 });
    const before = await model.stateDict();
    const targets = DATA.targets.slice(), onBatch = ({ batch }: { batch: number }) => void batches.push(batch);
    targets[2 * 70] = 1e30; // its square is no float32
    await assert.rejects(
      train(model, { ...DATA, targets }, { loss: "mse", epochs: 2, shuffle: false, onBatch }),
      { name: "RangeError", message: /loss is Infinity in epoch 1, batch 3/ },
    );
    assert.deepEqual(batches, [1, 2]);
    await model.loadStateDict(before);
    const anomaly = { loss: "mse", epochs: 1, shuffle: false, accumulate: 2, detectAnomaly: true } as const;
    await assert.rejects(train(model, { ...DATA, targets }, anomaly), {
      name: "RangeError",
      message: /in epoch 1, batch 3, the loss is the first that is not finite: Infinity/,
    });
  },
);

Deno.test("WebGPU: training that is aborted stands where the model stands", { ignore }, async () => {
  const run = async (options: typeof gpu) => {
    using model = await createModel(JOB, { ...options, seed: 0 });
    const abort = new AbortController();
    const onBatch = ({ batch }: { batch: number }) => batch === 5 && abort.abort("enough");
    const training = new Training(model, DATA, { epochs: 1, signal: abort.signal, onBatch: (p) => void onBatch(p) });
    await training.run().then(() => assert.fail("not aborted"), (reason) => assert.equal(reason, "enough"));
    const { batch, lossSum } = training.state;
    assert.equal(training.trainer.steps, batch);
    const { model: copy } = await parseCheckpoint(await formatCheckpoint({ training, model }));
    using _ = copy;
    return { batch, lossSum, loss: (await evaluate(copy, TEST)).loss };
  };
  const { batch, lossSum, loss } = await run(gpu);
  assert.ok(batch >= 5 && batch < 25, `${batch} batches`);
  using model = await createModel(JOB, { seed: 0 });
  const abort = new AbortController();
  const onBatch = ({ batch: done }: { batch: number }) => void (done === batch && abort.abort());
  const training = new Training(model, DATA, { epochs: 1, signal: abort.signal, onBatch });
  await training.run().catch(() => {});
  assertClose([lossSum], [training.state.lossSum], 1e-4, "losses");
  assertClose([loss], [(await evaluate(model, TEST)).loss], 1e-5, "loss after it");
});

Deno.test("WebGPU: an epoch reads back its sums, once, and those of its validation", { ignore }, async () => {
  const { mapAsync } = GPUBuffer.prototype, { copyBufferToBuffer } = GPUCommandEncoder.prototype, { now } = performance;
  let maps = 0, bytes = 0;
  GPUBuffer.prototype.mapAsync = function (...args) {
    maps++;
    return mapAsync.apply(this, args);
  };
  GPUCommandEncoder.prototype.copyBufferToBuffer = function (...args: unknown[]) {
    bytes += args[4] as number;
    return copyBufferToBuffer.apply(this, args as Parameters<typeof copyBufferToBuffer>);
  };
  // An interval without end: how fast this machine is does not count.
  performance.now = () => 0;
  try {
    using model = await createModel(JOB, gpu);
    const epochs: number[][] = [];
    const onEpoch = () => void epochs.push([maps, bytes]);
    await train(model, DATA, { epochs: 4, validation: TEST, onEpoch });
    const each = epochs.slice(1).map(([all, size], i) => [all! - epochs[i]![0]!, size! - epochs[i]![1]!]);
    // 25 batches and 7, of each the loss, the number of right rows and the norm of the gradient; and the parameters, once,
    // which are checked.
    const size = 32 * 12 + 4 * model.parameters.reduce((sum, { length }) => sum + length, 0);
    assert.deepEqual(each.slice(1), [[3, size], [3, size]]);
  } finally {
    GPUBuffer.prototype.mapAsync = mapAsync;
    GPUCommandEncoder.prototype.copyBufferToBuffer = copyBufferToBuffer;
    performance.now = now;
  }
});

Deno.test(
  "WebGPU: results that nobody asks for fill a bounded number of buffers, and none is lost",
  { ignore },
  async () => {
    await withBuffers(async (alive) => {
      using model = await createModel(JOB, gpu);
      const trainer = createTrainer(model), few = sampleDataset({ size: 4, steps: 2 });
      const results = [await trainer.begin(few, few.targets)];
      const before = alive.size;
      for (let i = 1; i < 500; i++) results.push(await trainer.begin(few, few.targets));
      assert.ok(alive.size - before <= 4, `${before} buffers became ${alive.size}`);
      const losses = await Promise.all(results.map(async ({ result }) => (await result).loss));
      using again = await createModel(JOB, gpu);
      const other = createTrainer(again);
      for (const i of [0, 1, 2]) assert.equal((await other.step(few, few.targets)).loss, losses[i]);
      assert.equal(new Set(losses.slice(0, 50)).size, 50, "each has its own");
      assert.ok(losses.every((loss) => loss > 0));
    });
  },
);

/** Runs `body` with the set of GPU buffers that were created and not destroyed. */
async function withBuffers(body: (alive: ReadonlySet<GPUBuffer>) => Promise<void>): Promise<void> {
  const prototype = GPUDevice.prototype, { createBuffer } = prototype, alive = new Set<GPUBuffer>();
  prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor), { destroy } = buffer;
    alive.add(buffer);
    buffer.destroy = () => {
      alive.delete(buffer);
      destroy.call(buffer);
    };
    return buffer;
  };
  try {
    await body(alive);
  } finally {
    prototype.createBuffer = createBuffer;
  }
}

Deno.test("WebGPU: epochs leave neither buffers nor memory behind, and disposing ends all", { ignore }, async () => {
  await withBuffers(async (alive) => {
    const model = await createModel(JOB, gpu), few = sampleDataset({ size: 50, steps: 5 });
    const used: number[][] = [], memory: number[] = [];
    const onEpoch = async () => {
      await model.stateDict();
      await predict(model, few);
      used.push([alive.size, [...alive].reduce((sum, { size }) => sum + size, 0)]);
      memory.push(Deno.memoryUsage().rss / 2 ** 20);
    };
    await train(model, few, { epochs: 60, validation: few, batchSize: 16, onEpoch });
    assert.ok(used[4]![0]! >= 3);
    for (const now of used.slice(5)) assert.deepEqual(now, used[4]);
    // A kernel that lost memory at every dispatch took more than 40 MiB.
    const grown = memory.at(-1)! - memory[9]!;
    assert.ok(grown < 20, `${grown} MiB more after 60 epochs than after 10`);
    model.dispose();
    assert.equal(alive.size, 0);
    await assert.rejects(model.stateDict(), { name: "TypeError", message: /disposed/ });
  });
});

Deno.test(
  "WebGPU: what does not fit into the adapter's largest buffer is refused with the sizes",
  { ignore },
  async () => {
    await assert.rejects(createModel({ ...JOB, hiddenSize: 12000 }, gpu), {
      name: "RangeError",
      message:
        /^Cannot place the model in memory: it needs \d+ MiB of the \d+ that the adapter allows in one buffer: parameters/,
    });
  },
);

Deno.test("WebGPU: a GPU that is lost is said by whatever is asked for next, in one line", { ignore }, async () => {
  const { requestDevice } = GPUAdapter.prototype;
  let device: GPUDevice | undefined;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    return device = await requestDevice.call(this, descriptor);
  };
  try {
    using model = await createModel(JOB, gpu);
    await model.stateDict();
    device!.destroy();
    await device!.lost;
    const lost = { name: "Error", message: /^Cannot continue: the GPU was lost: [^\n]+$/ };
    await assert.rejects(model.stateDict(), lost);
    await assert.rejects(createTrainer(model).step(TEST, TEST.targets), lost);
  } finally {
    GPUAdapter.prototype.requestDevice = requestDevice;
  }
});

Deno.test("WebGPU: memory that runs out is said by whatever is asked for next, in one line", { ignore }, async () => {
  const { requestDevice } = GPUAdapter.prototype;
  let device: GPUDevice | undefined;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    return device = await requestDevice.call(this, descriptor);
  };
  try {
    using model = await createModel(JOB, gpu);
    const training = new Training(model, DATA, { epochs: 1 });
    await training.trainer.step(TEST, TEST.targets);
    const error = new GPUOutOfMemoryError("some buffer");
    device!.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error, cancelable: true }));
    const full = { name: "Error", message: "Cannot continue: the GPU has not enough memory" };
    await assert.rejects(training.run(), full);
    await assert.rejects(predict(model, TEST), full);
  } finally {
    GPUAdapter.prototype.requestDevice = requestDevice;
  }
});

Deno.test(
  "WebGPU: a GPU that is lost ends a run in one line, and the last checkpoint goes on elsewhere",
  { ignore },
  async () => {
    await using place = await Place.make();
    // 32 submissions make an epoch of the sample job: it is lost in the third.
    place.write(
      "run.ts",
      `
      const { requestDevice } = GPUAdapter.prototype, { submit } = GPUQueue.prototype;
      let device, submissions = 0;
      GPUAdapter.prototype.requestDevice = async function (descriptor) {
        return device = await requestDevice.call(this, descriptor);
      };
      GPUQueue.prototype.submit = function (commands) {
        submit.call(this, commands);
        if (++submissions === 90) device.destroy();
      };
      const { main } = await import("${new URL("../../core/cli/main.ts", import.meta.url)}");
      Deno.exit(await main(Deno.args));`,
    );
    const train = ["train", "--seed", "3", "--checkpoint", "kept"];
    const lost = await runDeno(["run", "-A", "run.ts", ...train, "--gpu", "--epochs", "5"], { cwd: place.path });
    assert.equal(lost.code, 1);
    assert.match(lost.err, /^error: cannot continue: [^\n]*lost[^\n]*\n$/);
    const resumed = await place.run("train --checkpoint kept --resume kept/last.json --epochs 5");
    assert.equal(resumed.code, 0, resumed.err);
    await using other = await Place.make();
    assertWorks(await other.run([...train, "--epochs", "5"]));
    const history = (text: string) =>
      (JSON.parse(text).training.state.history as EpochRecord[]).map(({ trainLoss }) => trainLoss);
    const found = history(place.read("kept/last.json")), expected = history(other.read("kept/last.json"));
    assert.equal(found.length, 5);
    assertClose(found, expected, 1e-4, "losses");
  },
);

Deno.test("WebGPU: the description names the adapter, and says whether it is software", { ignore }, async () => {
  using model = await createModel(JOB, gpu);
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  const { name, description } = model.device;
  assert.equal(name, "webgpu");
  assert.match(description, /^WebGPU, ./);
  assert.equal(description.includes("software adapter"), adapter!.info.isFallbackAdapter);
});

Deno.test("WebGPU: without an adapter, --gpu fails in one line, and auto says so and takes the CPU", async () => {
  // No machine has adapters of two systems' drivers.
  const none = Deno.build.os === "linux" ? "dx12" : "gl";
  const run = (...args: string[]) =>
    runDeno(["run", "--no-prompt", "mod.ts", "--epochs", "1", ...args], { env: { DENO_WEBGPU_BACKEND: none } });
  const { code, out, err } = await run("--gpu");
  assert.deepEqual([code, out], [1, ""]);
  assert.match(err, /^error: cannot use WebGPU: no adapter was found; [^\n]*mesa-vulkan-drivers\)\n$/);
  const auto = await run("--device", "auto");
  assert.equal(auto.code, 0, auto.err);
  assert.match(auto.out, /^auto {7}wasm [\d.]+ ms per step; cannot use WebGPU: no adapter[^]*\ndevice {5}WebAssembly/);
});

Deno.test("WebGPU: --device auto says both figures", { ignore }, async () => {
  const { code, out, err } = await runDeno(["run", "--no-prompt", "mod.ts", "--epochs", "1", "--device", "auto"]);
  assert.equal(code, 0, err);
  assert.match(out, /^auto {7}wasm [\d.]+, webgpu [\d.]+ ms per step: (wasm|webgpu)\n/);
});
