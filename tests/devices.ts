/**
 * The devices that the same tests run on.
 *
 * WebGPU is held to the tolerances of the CPU: exp, tanh and the rest are computed by the CPU's formulas there, and sums in
 * single precision go in trees, so that it needs none wider.
 *
 * Where there is no adapter, its tests are left out, which is said; in CI (the variable CI is set) they fail instead.
 */

import type { ModelOptions } from "../core/model/model.ts";

// `deno task test` tests the GPU in a process and on a thread of its own, and sets this for the others: Mesa's driver may
// crash when a process ends in which several threads have used it.
const left = Deno.env.get("GRUTTO_DEVICES") === "cpu";
const adapter = left ? null : await navigator.gpu?.requestAdapter();

/** Whether tests of WebGPU are left out. */
export const WITHOUT_GPU: boolean = left || !adapter && !Deno.env.get("CI");

if (WITHOUT_GPU && !left) {
  console.log("There is no WebGPU adapter: its tests are left out (apt-get install mesa-vulkan-drivers)");
}

/** A device to test on. */
export interface TestDevice {
  readonly name: string;
  /** For createModel. */
  readonly options: ModelOptions;
  /** Whether the tests on it are left out. */
  readonly ignore: boolean;
}

/** The one that WebGPU finds. */
export const WEBGPU: TestDevice = { name: "WebGPU", options: { device: "webgpu" }, ignore: WITHOUT_GPU };

/** All of them. */
export const DEVICES: readonly TestDevice[] = [
  { name: "auto SIMD", options: { simd: "auto" }, ignore: false },
  { name: "plain SIMD", options: { simd: "plain" }, ignore: false },
  WEBGPU,
];
