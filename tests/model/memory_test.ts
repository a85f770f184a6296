import assert from "node:assert/strict";
import { createModel, createTrainer, type Dataset, train } from "../../mod.ts";
import { classifier, LOGITS, type ModelConfig, resolveConfig } from "../../core/model/config.ts";
import { checkMemory } from "../../core/model/memory.ts";
import { PlacedNetwork } from "../../core/model/placed_network.ts";
import { makePlan, type PlanShape } from "../../core/model/plan.ts";

const CONFIG = { inputSize: 3, hiddenSize: 29, outputSize: 2, numLayers: 2, numEmbeddings: 500 };
const MIB = 2 ** 18;

function netOf(config: ModelConfig): PlacedNetwork {
  return new PlacedNetwork(classifier(resolveConfig(config)));
}

function shapeOf(B: number, T: number): PlanShape {
  const losses = [{ output: LOGITS, loss: "bce", settings: {} }] as const;
  return { B, T, task: { purpose: "step", losses, dropout: "random" } };
}

/** What is refused in a room of so many elements, in words. */
function refusal(
  net: PlacedNetwork,
  shape: PlanShape | undefined,
  elements: number,
  wholeBatch = false,
): string | undefined {
  try {
    checkMemory(net, shape, { room: { elements, of: "this has" }, wholeBatch });
  } catch (error) {
    assert.ok(error instanceof RangeError);
    return error.message;
  }
}

Deno.test("what a plan needs fits into just as much, and into no less", () => {
  const net = netOf(CONFIG);
  for (const wholeBatch of [false, true]) {
    for (const [B, T] of [[1, 1], [37, 40], [8, 3]] as const) {
      const shape = shapeOf(B, T), { arena, scratch } = makePlan(net, shape, { parallelFrom: 2, wholeBatch });
      assert.equal(refusal(net, shape, arena + scratch, wholeBatch), undefined);
      assert.match(
        refusal(net, shape, arena + scratch - 1, wholeBatch)!,
        /^Cannot place the model in memory: it needs /,
      );
    }
  }
  assert.equal(refusal(net, undefined, net.store.persistent), undefined);
  assert.match(refusal(net, undefined, net.store.persistent - 1)!, /take a smaller hidden size or vocabulary$/);
});

Deno.test("the gradient of a large weight is made in strips, and takes its own room once", () => {
  const net = netOf({ inputSize: 2, hiddenSize: 1000, outputSize: 2 });
  const { arena, scratch, blocks } = makePlan(net, shapeOf(4, 2), { parallelFrom: 2 });
  const { paddedSize, persistent } = net.store;
  assert.equal(blocks, 1);
  assert.ok(arena - persistent < paddedSize / 100 && scratch < paddedSize / 3, `${arena - persistent} ${scratch}`);
});

Deno.test("a refusal says what takes how much, which adds up, and a batch that fits", () => {
  const net = netOf({ ...CONFIG, hiddenSize: 200 }), shape = shapeOf(100, 300);
  const { arena, scratch } = makePlan(net, shape, { parallelFrom: 2 }), room = Math.floor(0.8 * (arena + scratch));
  const message = refusal(net, shape, room)!;
  const [, total, limit] = message.match(/it needs (\d+) MiB of the (\d+) that this has: /)!.map(Number);
  assert.deepEqual([total, limit], [Math.ceil((arena + scratch) / MIB), Math.floor(room / MIB)]);
  const list = message.slice(message.indexOf("this has: ") + 10, message.indexOf(";"));
  const parts = list.split(", ").map((part) => [part.replace(/ \d+$/, ""), Number(part.match(/\d+$/)![0])] as const);
  assert.deepEqual(parts.map(([name]) => name), [
    "parameters",
    "gradients",
    "optimizer state",
    "packed weights",
    "inputs and results",
    "gradients of 13 blocks of 8 sequences",
    "activations of 8 sequences over 300 steps",
  ]);
  const sum = parts.reduce((sum, [, n]) => sum + n, 0);
  assert.ok(sum >= total! && sum < total! + parts.length, `${sum} of ${total}: each is rounded up`);
  const B = Number(message.match(/; a batch of (\d+) would fit$/)![1]);
  assert.ok(B > 1 && B < 100, `${B}`);
  assert.equal(refusal(net, { ...shape, B }, room), undefined);
  // Where not even one sequence fits, fewer steps may.
  const long = shapeOf(4, 100_000), one = makePlan(net, shapeOf(1, 50_000), { parallelFrom: 2 });
  const T = Number(
    refusal(net, long, one.arena + one.scratch)!.match(/; one sequence of (\d+) steps would fit$/)![1],
  );
  assert.equal(T, 50_000);
});

Deno.test("a model or a batch larger than WebAssembly's memory is refused, and what fits goes on", async () => {
  await assert.rejects(createModel({ inputSize: 5, hiddenSize: 12000, outputSize: 2 }), {
    name: "RangeError",
    message: /it needs \d+ MiB of the 4080 that WebAssembly has: parameters \d+, gradients \d+, optimizer state \d+/,
  });
  await assert.rejects(createModel({ inputSize: 512, hiddenSize: 5, outputSize: 2, numEmbeddings: 1e7 }), {
    name: "RangeError",
    message: /take a smaller hidden size or vocabulary$/,
  });
  const B = 16;
  using model = await createModel({ inputSize: 1, hiddenSize: 512, outputSize: 2, bidirectional: true });
  const trainer = createTrainer(model), targets = new Float32Array(2 * B);
  const refused = (T: number, message: RegExp) =>
    assert.rejects(trainer.step({ x: new Float32Array(B * T), shape: [B, T, 1] }, targets), {
      name: "RangeError",
      message,
    });
  await refused(10_000, /activations of 16 sequences over 10000 steps \d+; a batch of 8 would fit$/);
  await refused(40_000, /activations of 16 sequences over 40000 steps \d+; one sequence of 1\d{4} steps would fit$/);
  assert.equal(trainer.steps, 0);
  await trainer.step({ x: new Float32Array(B), shape: [B, 1, 1] }, targets);
});

Deno.test("training whose longest batch would not fit is refused before the first step", async () => {
  const N = 24, T = 60_000, lengths = new Int32Array(N).fill(2);
  lengths[N - 1] = T;
  const data: Dataset = { x: new Float32Array(N * T), shape: [N, T, 1], lengths, targets: new Float32Array(2 * N) };
  using model = await createModel({ inputSize: 1, hiddenSize: 512, outputSize: 2 });
  const before = await model.stateDict();
  let steps = 0;
  await assert.rejects(train(model, data, { batchSize: 8, shuffle: false, onBatch: () => void steps++ }), {
    name: "RangeError",
    message: /over 60000 steps/,
  });
  assert.equal(steps, 0);
  assert.deepEqual(await model.stateDict(), before);
});
