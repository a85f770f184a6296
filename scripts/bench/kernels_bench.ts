/**
 * The main kernels at the shapes of S2, under Deno's own benchmark runner:
 *
 *     deno bench scripts/bench/kernels_bench.ts
 *     deno bench --filter gru scripts/bench/kernels_bench.ts
 *
 * Many kernels work in place, so before each call the calls before it in a training step run again, outside the
 * measured time. `deno task bench:kernels` shows all kernels against the machine's peak.
 *
 * @module
 */

import { type KernelCall, stepCalls } from "./calls.ts";
import { SIZES } from "./work.ts";

const KERNELS = [
  "packForward",
  "linearForward",
  "gruForward",
  "attentionForward",
  "attentionBackward",
  "gruBackward",
  "transposeInput",
  "linearBackwardWeight",
  "linearBackwardBias",
  "adam",
];

const { calls } = await stepCalls(SIZES.S2!);
for (const name of KERNELS) {
  // Of the calls of a kernel the largest.
  const dims = ({ numbers }: KernelCall) =>
    ["T", "M", "N", "K", "H", "F", "D", "n", "groups"].flatMap((letter) =>
      numbers[letter] === undefined ? [] : [[letter, numbers[letter]] as const]
    );
  const work = (call: KernelCall) => dims(call).reduce((product, [, n]) => product * n, 1);
  const call = calls.filter(({ kernel }) => kernel === name).reduce((a, b) => work(b) > work(a) ? b : a);
  const before = calls.slice(0, calls.indexOf(call));
  Deno.bench(`${name} ${dims(call).map(([letter, n]) => `${letter} ${n}`).join(" ")}`, (b) => {
    for (const { run } of before) run();
    b.start();
    call.run();
    b.end();
  });
}
