/** Kernels for one sequence by itself. */

import { Random } from "../../core/random.ts";
import { normals } from "../batches.ts";
import { assertClose, assertIdentical, largest } from "../close.ts";
import { elementwise, type Form, FUNCTIONS, layerNorm, lstm, pool, POOLS } from "../reference_layers.ts";
import { kernelTest, runCalls, SIZES } from "./calls.ts";

const ALLOWED = 4e-6, EPS = 1e-5;

const pad4 = (n: number) => Math.ceil(n / 4) * 4;
const exact = (numbers: ArrayLike<number>) => Float64Array.from(numbers);
const none = (length: number) => new Float32Array(length).fill(NaN);

/** Rows of `parts` pieces of F numbers, `ld` apart, each piece padded with `padding`; what is between them is NaN. */
function padded(
  rows: ArrayLike<number>[],
  { parts = 1, F, ld = parts * pad4(F), padding = 0 }: { parts?: number; F: number; ld?: number; padding?: number },
) {
  const data = none(rows.length * ld);
  rows.forEach((row, r) => {
    for (let i = 0; i < parts * pad4(F); i++) {
      const part = Math.floor(i / pad4(F)), f = i % pad4(F);
      data[r * ld + i] = f < F ? row[part * F + f]! : padding;
    }
  });
  return data;
}

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, about: string) {
  assertClose(actual, expected, ALLOWED * Math.max(largest(expected), 0.1), about);
}

for (const reverse of [0, 1]) {
  kernelTest(`an LSTM over one sequence, reverse ${reverse}`, async (device) => {
    for (const H of SIZES) {
      for (const T of SIZES) {
        const random = new Random(T + H, "data"), Hp = pad4(H), ldh = Hp + 4, first = reverse ? T + 1 : 0;
        const x = Array.from({ length: T }, () => normals(random, 4 * H)), W = normals(random, 4 * H * H, 0.5);
        const [h0, c0] = [normals(random, H), normals(random, H)];
        const slots = (initial: Float32Array) => {
          const rows = Array.from({ length: T + 2 }, (_, slot) => slot === first ? initial : none(H));
          return padded(rows, { F: H, ld: ldh, padding: 0 });
        };
        const columns = new Float32Array(Hp * 4 * Hp);
        const { h, c } = await runCalls(device, {
          W,
          columns,
          gates: padded(x, { parts: 4, F: H }),
          h: slots(h0),
          c: slots(c0),
        }, (task, { W, columns, gates, h, c }) => {
          const packing = { rowParts: 4, rows: H, rotate: 0, columnParts: 1, inputs: H, ldw: H };
          task.call("packColumns", { columns, w: W, ...packing });
          task.call("lstmForwardSingle", { h, c, gates, columns, T, Hp, ldh, reverse });
        });
        const arrays = [exact(x.flatMap((row) => Array.from(row))), exact(W), exact(h0), exact(c0)];
        const [states, last] = lstm({ T, H, reverse: reverse !== 0 }).forward(arrays);
        for (let t = 0; t < T; t++) {
          const expected = padded([states!.subarray(t * H, t * H + H)], { F: H });
          close(h.subarray((t + 1) * ldh, (t + 1) * ldh + Hp), expected, `h ${t} of ${T}, ${H} units`);
        }
        const end = (reverse ? 1 : T) * ldh;
        close(c.subarray(end, end + Hp), padded([last!], { F: H }), `c, ${T} steps, ${H} units`);
      }
    }
  }, { gpu: false });
}

/** Holds a kernel that takes rows by themselves to a form, whatever is in their padding, which ends as 0. */
function rowByRow(
  about: string,
  { form, inputs, call }: {
    form: Form;
    /** What the form takes besides a row, as the kernel takes it. */
    inputs: (random: Random, F: number) => Float32Array<ArrayBuffer>[];
    call: (
      task: Parameters<Parameters<typeof runCalls>[2]>[0],
      tensors: Parameters<Parameters<typeof runCalls>[2]>[1],
      sizes: { rows: number; F: number; ldy: number; ldx: number },
    ) => void;
  },
) {
  kernelTest(`${about}, one sequence's rows`, async (device) => {
    for (const F of SIZES) {
      for (const rows of [1, 5]) {
        const random = new Random(F, "data"), x = Array.from({ length: rows }, () => normals(random, F));
        const more = inputs(random, F), ldx = pad4(F) + 4, ldy = pad4(F) + 8;
        const contents = {
          x: padded(x, { F, ld: ldx, padding: NaN }),
          y: none(rows * ldy),
          ...Object.fromEntries(more.map((data, i) => [`input${i}`, data])),
        };
        const results = await runCalls<string>(device, contents, (task, t) => call(task, t, { rows, F, ldy, ldx }));
        for (const [r, row] of x.entries()) {
          const [expected] = form.forward([exact(row), ...more.map(exact)]);
          const y = results.y!.subarray(r * ldy, (r + 1) * ldy);
          close(y.subarray(0, F), expected!, `row ${r} of ${F}`);
          assertIdentical(y.subarray(F, pad4(F)), new Float32Array(pad4(F) - F), `padding of row ${r} of ${F}`);
          assertIdentical(y.subarray(pad4(F)), none(8), "between the rows");
        }
      }
    }
  }, { gpu: false });
}

rowByRow("layer normalization", {
  form: layerNorm(EPS),
  inputs: (random, F) => [normals(random, F), normals(random, F)],
  call: (task, { x, y, input0, input1 }, sizes) =>
    task.call("layerNormSingle", { y: y!, x: x!, gamma: input0!, beta: input1!, ...sizes, eps: EPS }),
});

const plain = layerNorm(EPS);
rowByRow("layer normalization without gamma and beta", {
  form: {
    forward: ([x]) => plain.forward([x!, x!.map(() => 1), x!.map(() => 0)]),
    backward: plain.backward,
  },
  inputs: () => [],
  call: (task, { x, y }, sizes) =>
    task.call("layerNormSingle", { y: y!, x: x!, gamma: null, beta: null, ...sizes, eps: EPS }),
});

for (const [which, name] of FUNCTIONS.entries()) {
  rowByRow(name, {
    form: elementwise(name),
    inputs: () => [],
    call: (task, { x, y }, sizes) => task.call("elementwiseSingle", { y: y!, x: x!, ...sizes, which }),
  });
}

kernelTest("pooling over one sequence's steps", async (device) => {
  for (const [which, name] of POOLS.entries()) {
    for (const F of SIZES) {
      for (const T of SIZES) {
        const random = new Random(F, "data"),
          rows = Array.from({ length: T }, () => normals(random, F)),
          ldx = pad4(F) + 4;
        const { y } = await runCalls(
          device,
          { x: padded(rows, { F, ld: ldx }), y: none(pad4(F)) },
          (task, { x, y }) => {
            task.call("poolSingle", { y, x, T, F, ldx, which });
          },
        );
        const [expected] = pool(name, F).forward([exact(rows.flatMap((row) => Array.from(row)))]);
        close(y, padded([expected!], { F }), `${name}, ${T} steps of ${F}`);
      }
    }
  }
}, { gpu: false });
