/**
 * The most multiply-adds that one thread can do from WebAssembly: what kernels and steps are measured against, in the
 * same run, because a shared machine changes its speed from minute to minute.
 *
 * @module
 */

import asc from "npm:assemblyscript@0.28.20/asc";
import { time } from "./protocol.ts";

/** Sums that are added to in turn: as many multiply-adds as are under way at a time, and more. */
const SUMS = [..."abcdefghij"];
/** Rounds of a call, and calls between looks at the clock. Calls are short, so that the engine optimises the loop. */
const ROUNDS = 10_000, CALLS = 4;
const FLOPS = CALLS * ROUNDS * SUMS.length * 8;

/** Operands come from memory: constants would be built anew before each multiply-add. */
const SOURCE = `export function peak(p: usize, n: i32): void {
  const x = v128.load(p), y = v128.load(p, 16);
  let ${SUMS.map((sum) => `${sum} = v128.load(p, 32)`).join(", ")};
  for (; n > 0; n--) {
    ${SUMS.map((sum) => `${sum} = f32x4.relaxed_madd(x, y, ${sum});`).join("\n    ")}
  }
  v128.store(p, ${SUMS.reduce((all, sum) => `f32x4.add(${all}, ${sum})`)}, 48);
}`;

/** GF/s. */
export interface Peak {
  readonly median: number;
  /** The nine-tenths speed: the machine at its best. */
  readonly p90: number;
}

/** Makes the measurement: 128-bit fused multiply-adds on one thread, for `ms` milliseconds. */
export async function peakMeter(): Promise<(ms: number) => Promise<Peak>> {
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const options = ["-O2", "--noAssert", "--runtime", "stub", "--enable", "simd,relaxed-simd", "--initialMemory", "1"];
  const { error, stderr } = await asc.main(["peak.ts", ...options, "-o", "peak.wasm"], {
    readFile: (name) => name === "peak.ts" ? SOURCE : null,
    writeFile: (name, data) => {
      if (name === "peak.wasm") binary = data as Uint8Array<ArrayBuffer>;
    },
    listFiles: () => [],
  });
  if (error || !binary) throw new Error(`Cannot compile the measurement of the peak:\n${stderr}`);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary));
  const { peak, memory } = exports as { peak: (p: number, n: number) => void; memory: WebAssembly.Memory };
  const address = 1024;
  new Float32Array(memory.buffer, address, 8).fill(0.5);
  const measure = async (ms: number): Promise<Peak> => {
    const { median, p10 } = await time(() => {
      for (let i = 0; i < CALLS; i++) peak(address, ROUNDS);
    }, ms);
    return { median: FLOPS / median / 1e6, p90: FLOPS / p10 / 1e6 };
  };
  // The first calls run in the engine's quick compiler's code.
  await measure(100);
  return measure;
}
