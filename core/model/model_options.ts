/** What a model is made with, and what it computes on. */

import { MAX_THREADS, SIMD, type Simd } from "../device/device.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { OptionSpec } from "../options.ts";
import type { LossName } from "./losses.ts";
import type { OutputMeaning } from "./meanings.ts";

/** Options of `createModel`. */
export interface ModelOptions {
  /** Where the model computes: on the CPU, or on the GPU that WebGPU finds. Default "wasm". */
  device?: "wasm" | "webgpu";
  /**
   * Threads to compute on, 1 to 32: the result is the same bits for any number. Default "auto": as many as the machine
   * has cores, and only for batches that are worth it. Several threads leave the event loop free.
   */
  threads?: number | "auto";
  /**
   * Instructions to use. "plain": SIMD whose results are the same bits on every machine; "relaxed": with fused
   * multiply-add; "wide": relaxed, in tiles for V8 run with `--no-wasm-bounds-checks --experimental-wasm-revectorize`.
   * Default "auto": the fastest here.
   */
  simd?: Simd;
  /**
   * The core, compiled: for engines that compile nothing at run time, such as Cloudflare's workers, which import a `.wasm` file
   * as one. Default: compiled when the first model is made. Not for "webgpu".
   */
  module?: WebAssembly.Module;
  /** Of the initial parameters and the dropout masks: an integer from 0. Default 0. */
  seed?: number;
  /**
   * The processes that train this model together, each of which makes it alike: see `openFleet`. Trainings, steps and
   * evaluations then wait for one another; their bits are those of one process. Not for "webgpu". Default: this one alone.
   */
  fleet?: Fleet;
}

/** Options of `createModel` for a network. */
export interface NetworkOptions extends ModelOptions {
  /**
   * The loss that the network is trained with, which says what its output means; of several outputs by name. Default: not
   * known until it has a trainer.
   */
  loss?: LossName | Readonly<Record<string, LossName | OutputMeaning>>;
  /** For the loss "quantile": the quantiles it predicts. */
  quantiles?: readonly number[];
}

/** Where a model can compute. */
export type DeviceName = NonNullable<ModelOptions["device"]>;

/** The options of what a model computes on: types, defaults, ranges. */
export const DEVICE_OPTIONS: { readonly [Name in "device" | "threads" | "simd"]: OptionSpec } = {
  device: { type: "choice", default: "wasm", choices: ["wasm", "webgpu"], about: "where to compute" },
  threads: {
    type: "integer",
    default: "auto",
    words: ["auto"],
    least: 1,
    most: MAX_THREADS,
    about: "threads; auto: all cores where it is worth it",
  },
  simd: { type: "choice", default: "auto", choices: SIMD, about: "instructions" },
};
