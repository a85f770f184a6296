/**
 * Compiles the WASM module, in the build that this engine has the instructions for.
 *
 * @module
 */

import { fail } from "../errors.ts";
import { type Build, moduleBytes } from "./bytes.ts";
import type { Simd } from "./device.ts";

const compiled = new Map<Build, Promise<WebAssembly.Module>>();

/** The module, compiled once per process; with relaxed SIMD if wanted and there, else in plain SIMD. */
export async function compileModule(simd: Simd): Promise<WebAssembly.Module> {
  if (simd !== "plain" && WebAssembly.validate(PROBE)) return await compile("relaxed");
  if (simd === "auto" || simd === "plain") return await compile("plain");
  throw fail("simd-unavailable", "create model", `this engine has no relaxed SIMD, which simd "${simd}" needs`, {
    option: "simd",
    value: simd,
  });
}

async function compile(build: Build): Promise<WebAssembly.Module> {
  let module = compiled.get(build);
  if (!module) {
    module = moduleBytes(build).then((bytes) => new WebAssembly.Module(bytes));
    module.catch(() => compiled.delete(build));
    compiled.set(build, module);
  }
  try {
    return await module;
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    const problem = `this engine compiles no WebAssembly (${error.message}): pass the compiled core as option module`;
    throw fail("wasm-unavailable", "create model", problem, { option: "module", error });
  }
}

/** A module of one function that does a relaxed multiply-add: whether it is valid says if the engine has them. */
const PROBE = Uint8Array.from(
  [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0].concat(
    [65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15, 253, 133, 2, 11],
  ),
);
