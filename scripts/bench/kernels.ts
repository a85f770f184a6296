/**
 * How fast each kernel is, as a share of what the machine can do in the same minute.
 *
 *     deno task bench:kernels                                 all kernels of a training step at S1 to S4
 *     deno task bench:kernels --sizes S2 --seconds 1          one size; how long each size is timed
 *     deno task bench:kernels --simd plain                    other instructions (wide needs the flags of train:wide)
 *     deno task bench:kernels --json FILE                     all figures into a file
 *
 * Each call of a real training step is timed alone, the step being repeated, and the peak (128-bit multiply-adds on one
 * thread) in between. Times are those of the quickest tenth, and so is the peak: what the code can do where the machine
 * lets it. Products are given in GF/s and as a share of the peak, kernels that move numbers in GB/s; how operations and
 * bytes are counted stands in FLOPS and BYTES below. Elementwise functions inside a product's kernel are not counted:
 * where H is small they take their share of the time.
 *
 * @module
 */

import { LANES } from "../../core/device/kernels.ts";
import { SIMD, type Simd } from "../../core/device/device.ts";
import { commandLine, fail, numberOption } from "../command_line.ts";
import { type KernelCall, stepCalls } from "./calls.ts";
import { peakMeter } from "./peak.ts";
import { describe, median, setting, short, table } from "./report.ts";
import { SIZES, stepFlops } from "./work.ts";

type Numbers = Readonly<Record<string, number>>;

/** Floating-point operations of the products in a kernel, a multiply-add being two; lanes beyond the last row count too. */
const FLOPS: Readonly<Record<string, (n: Numbers) => number>> = {
  linearForward: ({ M, K, groups }) => 2 * M! * K! * groups! * LANES,
  linearBackwardInput: ({ M, K, groups }) => 2 * M! * K! * groups! * LANES,
  linearBackwardWeight: ({ M, N, groups }) => 2 * M! * N! * groups! * LANES,
  gruForward: ({ T, groups, H }) => 2 * 3 * H! * H! * T! * groups! * LANES,
  gruBackward: ({ T, groups, H }) => 2 * 3 * H! * H! * T! * groups! * LANES,
};

/** Bytes that a kernel reads and writes, each number once. */
const BYTES: Readonly<Record<string, (n: Numbers) => number>> = {
  rowsIn: ({ rows, F }) => 4 * 2 * rows! * F!,
  rowsOut: ({ rows, F }) => 4 * 2 * rows! * F!,
  sequencesIn: ({ T, rows, F }) => 4 * 2 * T! * rows! * F!,
  sequencesOut: ({ T, rows, F }) => 4 * 2 * T! * rows! * F!,
  activeLanes: ({ T, rows }) => 4 * T! * rows!,
  copyGroups: ({ groups, F }) => 4 * 2 * groups! * F! * LANES,
  copyVector: ({ n }) => 4 * 2 * n!,
  clear: ({ n }) => 4 * n!,
  packForward: ({ M, K }) => 4 * 2 * M! * K!,
  packBackward: ({ M, K }) => 4 * 2 * M! * K!,
  transposeInput: ({ F, groups }) => 4 * 2 * F! * groups! * LANES,
  linearBackwardBias: ({ M, groups }) => 4 * M! * groups! * LANES,
  gruPackBias: ({ H }) => 4 * 10 * H!,
  // In and out: the projected outputs, which become their tanh; in: the outputs.
  attentionForward: ({ T, groups, D, A }) => 4 * (2 * A! + D!) * T! * groups! * LANES,
  // The same, and out: the gradient of the outputs.
  attentionBackward: ({ T, groups, D, A }) => 4 * (2 * A! + 2 * D!) * T! * groups! * LANES,
  dropoutApply: ({ groups, F }) => 4 * 3 * groups! * F! * LANES,
  bceLoss: ({ rows, O }) => 4 * 3 * rows! * O!,
  sumBlocks: ({ n, count }) => 4 * (count! + 1) * n!,
  sumSquares: ({ n }) => 4 * n!,
  gradientNorm: ({ n }) => 4 * n!,
  adam: ({ n }) => 4 * 7 * n!,
};

/** Share of a step below which a kernel gets no line of its own: it takes no longer than looking at the clock. */
const SMALL = 5e-4;

/** A kernel at one shape: all calls of a step together. */
interface KernelResult {
  readonly kernel: string;
  readonly shape: string;
  calls: number;
  /** Microseconds of all calls. */
  us: number;
  flops: number;
  bytes: number;
}

/** What tells one use of a kernel from another. */
function shapeOf({ kernel, numbers }: KernelCall): string {
  if (!FLOPS[kernel] && !/transposeInput|pack|attention|Bias/.test(kernel)) return "";
  const letters = ["T", "M", "N", "K", "H", "F", "D", "groups"].filter((name) => numbers[name] !== undefined);
  return letters.map((name) => `${name} ${numbers[name]}`).join(" ");
}

/** The value that a share of the others are below. */
function quantile(values: number[], share: number): number {
  return values.sort((a, b) => a - b)[Math.floor(share * (values.length - 1))]!;
}

const { values } = commandLine("deno task bench:kernels", "Every kernel's speed as a share of the machine's peak.", {
  sizes: { type: "string", default: "S1,S2,S3,S4", about: "which sizes", takes: "S1,…" },
  seconds: { type: "string", default: "5", about: "how long each size is timed" },
  simd: { type: "string", default: "auto", about: `instructions: ${SIMD.join(", ")}`, takes: "NAME" },
  json: { type: "string", about: "all figures into a file", takes: "FILE" },
});
const seconds = numberOption("seconds", values.seconds, 0.01, false), simd = values.simd as Simd;
if (!SIMD.includes(simd)) fail(`--simd must be one of ${SIMD.join(", ")}, got "${simd}"`, 2);

const where = setting({ sizes: values.sizes, seconds, simd });
console.log(describe(where));
const peakOf = await peakMeter();
const results: Record<string, { peak: number; us: number; kernels: KernelResult[] }> = {};
for (const name of values.sizes.split(",")) {
  const size = Object.hasOwn(SIZES, name)
    ? SIZES[name]!
    : fail(`--sizes knows ${Object.keys(SIZES)}, got "${name}"`, 2);
  const { calls, empty, description } = await stepCalls(size, simd);
  const times = calls.map((): number[] => []), peaks: number[] = [];
  let around = Infinity;
  const pass = (record: boolean) => {
    calls.forEach(({ run }, i) => {
      const start = performance.now();
      run();
      const middle = performance.now();
      empty();
      const end = performance.now();
      if (!record) return;
      times[i]!.push(middle - start);
      around = Math.min(around, end - middle);
    });
  };
  // The engine optimises what has run often.
  for (const end = performance.now() + 100 * seconds; performance.now() < end;) pass(false);
  for (const end = performance.now() + 1000 * seconds; performance.now() < end || peaks.length === 0;) {
    for (const turn = performance.now() + 80; performance.now() < turn;) pass(true);
    peaks.push((await peakOf(20)).p90);
  }
  const peak = median(peaks), byShape = new Map<string, KernelResult>();
  calls.forEach((call, i) => {
    const { kernel, numbers } = call, shape = shapeOf(call), key = `${kernel} ${shape}`;
    const entry = byShape.get(key) ?? { kernel, shape, calls: 0, us: 0, flops: 0, bytes: 0 };
    byShape.set(key, entry);
    entry.calls++;
    entry.us += 1000 * Math.max(0, quantile(times[i]!, 0.1) - around);
    entry.flops += FLOPS[kernel]?.(numbers) ?? 0;
    entry.bytes += BYTES[kernel]?.(numbers) ?? 0;
  });
  const kernels = [...byShape.values()].sort((a, b) => b.us - a.us), us = kernels.reduce((sum, k) => sum + k.us, 0);
  results[name] = { peak, us, kernels };
  const { B, T, I, H, layers } = size;
  console.log(
    `\n${name} (B ${B}, T ${T}, I ${I}, H ${H}, layers ${layers}), ${description}: ${short(us)} µs a step, ` +
      `${short(stepFlops(size) / us / 1e3)} GF/s = ${(stepFlops(size) / us / 10 / peak).toFixed(1)} % of the peak ` +
      `(${short(peak)} GF/s); ${times[0]!.length} passes`,
  );
  const rows = [["  kernel", "calls", "µs", "% of step", "GF/s", "% of peak", "GB/s"]];
  const [shown, small] = [kernels.filter((k) => k.us >= SMALL * us), kernels.filter((k) => k.us < SMALL * us)];
  for (const { kernel, shape, calls, us: spent, flops, bytes } of shown) {
    rows.push([
      `  ${kernel}${shape && `  ${shape}`}`,
      String(calls),
      spent.toFixed(1),
      (100 * spent / us).toFixed(1),
      flops ? short(flops / spent / 1e3) : "",
      flops ? (flops / spent / 10 / peak).toFixed(1) : "",
      bytes ? short(bytes / spent / 1e3) : "",
    ]);
  }
  const rest = small.reduce((sum, k) => sum + k.us, 0);
  rows.push([`  ${small.length} smaller ones`, "", rest.toFixed(1), (100 * rest / us).toFixed(1), "", "", ""]);
  console.log(table(rows));
}
if (values.json) {
  await Deno.writeTextFile(
    values.json,
    JSON.stringify({ kind: "grutto-kernels", ...where, sizes: results }, null, 1) + "\n",
  );
  console.log(`\nwritten: ${values.json}`);
}
