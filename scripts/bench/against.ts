/**
 * The kernels that take most of a step against those of another revision: the same bits, and how fast, in turns.
 *
 *     deno task bench:against REVISION                bits over odd shapes, then times at the shapes of S1 to S5
 *     deno task bench:against REVISION --bits         only the bits
 *     deno task bench:against REVISION --seconds 2    how long each shape is timed
 *     deno task bench:against REVISION --simd wide    other instructions (wide needs the flags of train:wide)
 *     deno task bench:against REVISION --only gru     kernels whose names hold this
 *     deno task bench:against REVISION "linearForward M 64 K 64 groups 4"    other shapes to time
 *
 * REVISION is what git knows, or a file like core/device/wasm_module.ts. Times are the quickest of short turns of either
 * side, one after the other: a shared machine slows both alike, and the quickest is what the code can do.
 *
 * @module
 */

import { pathToFileURL } from "node:url";
import { LANES, PANEL } from "../../core/device/kernels.ts";
import * as here from "../../core/device/wasm_module.ts";
import { Random } from "../../core/random.ts";
import { commandLine, fail, numberOption } from "../command_line.ts";
import { peakMeter } from "./peak.ts";
import { table } from "./report.ts";

type Call = (...args: number[]) => void;
type Numbers = Readonly<Record<string, number>>;
/** A kernel, and its dimensions by name. */
type Shape = readonly [kernel: string, numbers: Numbers];

/** A module with a memory of its own: its kernels, and where its tensors begin. */
interface Side {
  readonly call: Record<string, Call>;
  readonly memory: Float32Array;
  readonly base: number;
}

/** A kernel at a shape: what it is given, what it leaves, and the multiply-adds of its products. */
interface Trial {
  readonly flops: number;
  /** Tensors in order: what they hold at first, and whether they are compared. */
  readonly tensors: { readonly length: number; readonly fill: "random" | "zero" | "mask"; readonly compared?: true }[];
  /** What runs before, and the call: given the addresses of the tensors. */
  prepare?(call: Record<string, Call>, ...at: number[]): void;
  run(call: Record<string, Call>, ...at: number[]): void;
}

const BUILDS = { plain: "PLAIN", relaxed: "RELAXED", wide: "RELAXED" } as const;
type Simd = keyof typeof BUILDS;

/** Elements from one group of F features to the next, some of them unused. */
const stride = (F: number) => F * LANES + (F % 16 === 0 ? 16 : 0);
const panels = (M: number, K: number) => Math.ceil(M / PANEL) * PANEL * K;
const whole = (n: number) => Math.ceil(n / LANES) * LANES;

const TRIALS: { readonly [kernel: string]: (n: Numbers) => Trial } = {
  linearForward: ({ M, K, groups }) => ({
    flops: 2 * M! * K! * groups! * LANES,
    tensors: [
      { length: groups! * stride(M!), fill: "zero", compared: true },
      { length: groups! * stride(K!), fill: "random" },
      { length: panels(M!, K!), fill: "zero", compared: true },
      { length: M! * K!, fill: "random" },
      { length: M! + 9, fill: "random" },
    ],
    prepare: (call, _y, _x, p, w) => call.packForward!(p!, w!, M!, K!, K!, 1),
    run: (call, y, x, p, _w, bias) => call.linearForward!(y!, x!, p!, bias!, M!, K!, groups!, stride(M!), stride(K!)),
  }),
  linearBackwardInput: ({ M, K, groups }) => ({
    flops: 2 * M! * K! * groups! * LANES,
    tensors: [
      { length: groups! * stride(M!), fill: "random", compared: true },
      { length: groups! * stride(K!), fill: "random" },
      { length: panels(M!, K!), fill: "zero", compared: true },
      { length: M! * K!, fill: "random" },
    ],
    prepare: (call, _y, _x, p, w) => call.packBackward!(p!, w!, M!, K!, M!, 1),
    run: (call, dx, dy, p) =>
      call.linearBackwardInput!(dx!, dy!, p!, M!, K!, groups!, stride(M!), stride(K!), groups! & 1),
  }),
  linearBackwardWeight: ({ M, N, groups, width = M! }) => ({
    flops: 2 * M! * N! * groups! * LANES,
    tensors: [
      { length: M! * N!, fill: "zero", compared: true },
      { length: (M! + 7) * whole(N!), fill: "zero" },
      { length: groups! * stride(width), fill: "random" },
      // Rows beyond M are read, and nothing comes of them.
      { length: 64, fill: "zero" },
      { length: groups! * LANES * whole(N!), fill: "zero", compared: true },
      { length: groups! * stride(N!), fill: "random" },
    ],
    prepare: (call, _w, _s, _dy, _, transposed, x) => call.transposeInput!(transposed!, x!, N!, groups!, stride(N!)),
    run: (call, dw, scratch, dy, _, transposed) =>
      call.linearBackwardWeight!(dw!, scratch!, dy!, transposed!, M!, N!, groups!, N!, stride(width), M! > 1 ? 1 : 0),
  }),
  gruForward: ({ T, H, groups, reverse = 0 }) => ({
    flops: 2 * 3 * H! * H! * T! * groups! * LANES,
    tensors: [
      { length: (T! + 2) * groups! * stride(H!), fill: "random", compared: true },
      { length: T! * groups! * stride(4 * H!), fill: "random", compared: true },
      { length: panels(3 * H!, H!), fill: "zero" },
      { length: 3 * H! * H!, fill: "random" },
      { length: 4 * H! + 9, fill: "random" },
      { length: T! * groups! * LANES, fill: "mask" },
    ],
    prepare: (call, _h, _g, p, w) => call.packForward!(p!, w!, 3 * H!, H!, H!, 0),
    run: (call, h, gates, p, _w, bias, mask) =>
      call.gruForward!(h!, gates!, p!, bias!, mask!, T!, groups!, H!, stride(H!), stride(4 * H!), reverse),
  }),
  gruBackward: ({ T, H, groups, reverse = 0 }) => ({
    flops: 2 * 3 * H! * H! * T! * groups! * LANES,
    tensors: [
      { length: (T! + 2) * groups! * stride(H!), fill: "random", compared: true },
      { length: T! * groups! * stride(4 * H!), fill: "random", compared: true },
      { length: (T! + 2) * groups! * stride(H!), fill: "random" },
      { length: panels(H!, 3 * H!), fill: "zero" },
      { length: 3 * H! * H!, fill: "random" },
      { length: T! * groups! * LANES, fill: "mask" },
    ],
    prepare: (call, _dh, _g, _h, p, w) => call.packBackward!(p!, w!, H!, 3 * H!, H!, 0),
    run: (call, dh, gates, h, p, _w, mask) =>
      call.gruBackward!(dh!, gates!, h!, p!, mask!, T!, groups!, H!, stride(H!), stride(H!), stride(4 * H!), reverse),
  }),
  linearBackwardBias: ({ M, groups }) => ({
    flops: 0,
    tensors: [{ length: M!, fill: "zero", compared: true }, { length: groups! * stride(M!), fill: "random" }],
    run: (call, db, dy) => call.linearBackwardBias!(db!, dy!, M!, groups!, stride(M!), 0),
  }),
  activation: ({ n, which }) => ({
    flops: 0,
    tensors: [{ length: n! + 3, fill: "zero", compared: true }, { length: n! + 3, fill: "random" }],
    run: (call, y, x) => call.activation!(y!, x!, n!, which!),
  }),
};

/** The shapes of a training step: S1 to S5, a block of each. */
const TIMED: readonly Shape[] = [
  ["gruForward", { T: 10, H: 10, groups: 1 }],
  ["gruForward", { T: 50, H: 64, groups: 1 }],
  ["gruForward", { T: 64, H: 128, groups: 1 }],
  ["gruForward", { T: 25, H: 256, groups: 2 }],
  ["gruForward", { T: 8, H: 512, groups: 2 }],
  ["gruBackward", { T: 50, H: 64, groups: 1 }],
  ["gruBackward", { T: 64, H: 128, groups: 1 }],
  ["gruBackward", { T: 25, H: 256, groups: 2 }],
  ["linearForward", { M: 192, K: 16, groups: 50 }],
  ["linearForward", { M: 64, K: 64, groups: 50 }],
  ["linearForward", { M: 768, K: 256, groups: 50 }],
  ["linearBackwardInput", { M: 128, K: 128, groups: 64 }],
  ["linearBackwardWeight", { M: 30, N: 10, groups: 10, width: 40 }],
  ["linearBackwardWeight", { M: 192, N: 16, groups: 50, width: 256 }],
  ["linearBackwardWeight", { M: 192, N: 64, groups: 50, width: 256 }],
  ["linearBackwardWeight", { M: 64, N: 64, groups: 50 }],
  ["linearBackwardWeight", { M: 384, N: 32, groups: 64, width: 512 }],
  ["linearBackwardWeight", { M: 384, N: 128, groups: 64, width: 512 }],
  ["linearBackwardWeight", { M: 768, N: 256, groups: 200, width: 1024 }],
  ["linearBackwardWeight", { M: 1536, N: 512, groups: 64, width: 2048 }],
];

/** Sizes around those of tiles, halves, panels and passes. */
const ODD = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 20, 23, 24, 25, 31, 33, 40, 64, 67];

function oddShapes(): Shape[] {
  const random = new Random(7, "data"), any = () => ODD[random.below(ODD.length)]!;
  const shapes: Shape[] = [];
  for (let i = 0; i < 150; i++) {
    const groups = [1, 2, 3, 7, 16, 33][random.below(6)]!;
    shapes.push(["linearForward", { M: any(), K: any(), groups }]);
    shapes.push(["linearBackwardInput", { M: any(), K: any(), groups }]);
    shapes.push(["linearBackwardWeight", { M: any(), N: any(), groups, width: 80 }]);
    shapes.push(["linearBackwardBias", { M: any(), groups }]);
    const T = 1 + random.below(6), reverse = i & 1;
    shapes.push(["gruForward", { T, H: any(), groups: 1 + random.below(4), reverse }]);
    shapes.push(["gruBackward", { T, H: any(), groups: 1 + random.below(4), reverse }]);
    shapes.push(["activation", { n: any(), which: i % 3 }]);
  }
  // More than one pass.
  for (const kernel of ["linearForward", "linearBackwardInput"]) shapes.push([kernel, { M: 43, K: 700, groups: 21 }]);
  shapes.push(["linearBackwardWeight", { M: 700, N: 43, groups: 37, width: 706 }]);
  shapes.push(["linearBackwardWeight", { M: 389, N: 130, groups: 61, width: 400 }]);
  return shapes;
}

const PAGES = 4096;

function instantiate(base64: string, simd: Simd): Side {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.fromBase64(base64)), {
    env: { memory },
  });
  const call = exports as Record<string, Call>;
  call.setWide!(Number(simd === "wide"));
  const base = Math.ceil((exports.arenaStart as () => number)() / 4096) * 4096;
  return { call, memory: new Float32Array(memory.buffer), base };
}

/** The addresses of a trial's tensors, filled: the same on either side. */
function place({ tensors }: Trial, { memory, base }: Side): number[] {
  const random = new Random(3, "data");
  let top = base / 4;
  return tensors.map(({ length, fill }) => {
    const at = top;
    if (fill === "random") { for (let i = 0; i < length; i++) memory[at + i] = 4 * random.uniform() - 2; }
    else memory.fill(0, at, at + length);
    if (fill === "mask") {
      new Int32Array(memory.buffer, 4 * at, length).forEach((_, i, all) => all[i] = -Number(i % 5 > 0));
    }
    top = Math.ceil((at + length) / 16) * 16 + 16;
    return 4 * at;
  });
}

const { values, operands: [revision, ...shapes] } = commandLine(
  "deno task bench:against",
  "The kernels that take most of a step against those of another revision.",
  {
    bits: { type: "boolean", default: false, about: "only whether the bits are the same" },
    seconds: { type: "string", default: "1", about: "how long each shape is timed" },
    simd: { type: "string", about: `instructions: ${Object.keys(BUILDS).join(", ")}`, takes: "NAME" },
    only: { type: "string", default: "", about: "kernels whose names hold this", takes: "TEXT" },
  },
  ["REVISION", "[SHAPE …]"],
);
if (values.simd !== undefined && !Object.hasOwn(BUILDS, values.simd)) fail(`--simd is plain, relaxed or wide`, 2);
const seconds = numberOption("seconds", values.seconds, 0.01, false);

async function otherModule(): Promise<typeof here> {
  if (revision!.endsWith(".ts")) return await import(pathToFileURL(await Deno.realPath(revision!)).href);
  const args = ["show", `${revision}:core/device/wasm_module.ts`];
  const { success, stdout, stderr } = await new Deno.Command("git", { args }).output();
  if (!success) fail(new TextDecoder().decode(stderr).trim());
  return await import(`data:application/typescript;base64,${stdout.toBase64()}`);
}

/** A shape as the table prints it. */
function parseShape(text: string): Shape {
  const [kernel = "", ...words] = text.split(/\s+/), numbers: Record<string, number> = {};
  if (!Object.hasOwn(TRIALS, kernel)) {
    fail(`a shape begins with one of ${Object.keys(TRIALS).join(", ")}, got "${kernel}"`, 2);
  }
  for (let i = 0; i < words.length; i += 2) numbers[words[i]!] = Number(words[i + 1]);
  return [kernel, numbers];
}

const there = await otherModule(), simds = values.simd ? [values.simd as Simd] : Object.keys(BUILDS) as Simd[];
const chosen = ([kernel]: Shape) => kernel.includes(values.only);
for (const simd of simds) {
  const sides = [there, here].map((module) => instantiate(module[BUILDS[simd]], simd));
  let count = 0;
  for (const [kernel, numbers] of oddShapes().filter(chosen)) {
    const trial = TRIALS[kernel]!(numbers);
    const [old, now] = sides.map((side) => {
      const at = place(trial, side);
      trial.prepare?.(side.call, ...at);
      trial.run(side.call, ...at);
      return trial.tensors.map(({ length, compared }, i) =>
        compared ? new Uint32Array(side.memory.buffer, at[i], length).slice() : []
      );
    });
    old!.forEach((tensor, i) => {
      const differs = tensor.findIndex((bits, j) => bits !== now![i]![j]);
      if (differs >= 0) {
        fail(`${simd} ${kernel} ${JSON.stringify(numbers)}: tensor ${i} differs from element ${differs} on`);
      }
    });
    count++;
  }
  console.log(`${simd}: the same bits at ${count} shapes`);
}
if (!values.bits) {
  const timed = shapes.length ? shapes.map(parseShape) : TIMED.filter(chosen);
  const simd = (values.simd ?? "relaxed") as Simd, peakOf = await peakMeter();
  const sides = [there, here].map((module) => instantiate(module[BUILDS[simd]], simd));
  const rows = [["  kernel", "µs before", "µs now", "times as fast", "% of peak", "now"]];
  for (const [kernel, numbers] of timed) {
    const trial = TRIALS[kernel]!(numbers);
    const calls = sides.map((side) => {
      const at = place(trial, side);
      trial.prepare?.(side.call, ...at);
      // Kernels that work in place get what they left: of a state between −1 and 1 nothing grows, of other sums it would.
      return () => trial.run(side.call, ...at);
    });
    const best = [Infinity, Infinity], start = performance.now();
    let peak = 0, turns = 0;
    while (performance.now() < start + 1300 * seconds) {
      for (const side of [0, 1]) {
        for (let until = performance.now() + 5, at = performance.now(); at < until;) {
          calls[side]!();
          const after = performance.now();
          if (at > start + 300 * seconds) best[side] = Math.min(best[side]!, after - at);
          at = after;
        }
      }
      if (turns++ % 20 === 0) peak = Math.max(peak, (await peakOf(5)).p90);
    }
    const [before, now] = best as [number, number];
    const share = (ms: number) => trial.flops ? (trial.flops / ms / 1e4 / peak).toFixed(1) : "";
    rows.push([
      `  ${kernel} ${Object.entries(numbers).map(([letter, n]) => `${letter} ${n}`).join(" ")}`,
      (1000 * before).toFixed(1),
      (1000 * now).toFixed(1),
      (before / now).toFixed(3),
      share(before),
      share(now),
    ]);
  }
  console.log(`${simd}\n${table(rows)}`);
}
