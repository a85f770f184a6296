/** The compiled modules by themselves, to call kernels without a device. */

import { PLAIN, RELAXED } from "../../core/device/wasm_module.ts";

/** Both builds: with fused multiply-add, and without. */
export const MODULES = { relaxed: RELAXED, plain: PLAIN };

export function compile(base64: string): WebAssembly.Module {
  return new WebAssembly.Module(Uint8Array.fromBase64(base64));
}

/** A module with a memory of its own, which kernels may use from `base` on. */
export function instantiate(
  module: WebAssembly.Module,
): { call: Record<string, (...args: number[]) => void>; buffer: ArrayBufferLike; base: number } {
  const pages = 64, memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const call = exports as Record<string, (...args: number[]) => void>;
  const base = Math.ceil((exports.arenaStart as () => number)() / 64) * 64;
  return { call, buffer: memory.buffer, base };
}
