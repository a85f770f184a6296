import assert from "node:assert/strict";
import { type KernelName, KERNELS, orderedArguments } from "../../core/device/kernels.ts";
import { compile, instantiate, MODULES } from "./instance.ts";

const NAMES = Object.keys(KERNELS) as KernelName[];

for (const [build, base64] of Object.entries(MODULES)) {
  Deno.test(`the ${build} module exports the kernels of the table, and nothing else but what runs them`, () => {
    const exports = WebAssembly.Module.exports(compile(base64));
    const functions = [...NAMES, "run", "arenaStart", "setWide", "multiplyAdd"].map((name) => ({
      name,
      kind: "function",
    }));
    const byName = (a: { name: string }, b: { name: string }) => a.name < b.name ? -1 : 1;
    assert.deepEqual(
      exports.map(({ name, kind }) => ({ name, kind })).sort(byName),
      [...functions, { name: "memory", kind: "memory" }].sort(byName),
    );
  });

  Deno.test(`the ${build} module's kernels take as many arguments as the table has`, () => {
    const { call } = instantiate(compile(base64));
    const arities = (of: (name: KernelName) => number) => Object.fromEntries(NAMES.map((name) => [name, of(name)]));
    assert.deepEqual(
      arities((name) => call[name]!.length),
      arities((name) => orderedArguments(name).length),
    );
  });

  Deno.test(`the ${build} module imports its memory and nothing else`, () => {
    assert.deepEqual(WebAssembly.Module.imports(compile(base64)), [{ module: "env", name: "memory", kind: "memory" }]);
  });

  Deno.test(`the ${build} module is smaller than 96 KiB`, () => {
    assert.ok(Uint8Array.fromBase64(base64).length < 98304);
  });
}

Deno.test("no kernel has an argument twice", () => {
  for (const name of NAMES) {
    const names = orderedArguments(name).map((argument) => argument.name);
    assert.equal(new Set(names).size, names.length, name);
  }
});

Deno.test("every kernel is documented, and takes its arguments under the names and in the order of the table", () => {
  const folder = new URL("../../core/kernels/", import.meta.url);
  const sources = [...Deno.readDirSync(folder)].map(({ name }) => Deno.readTextFileSync(new URL(name, folder))).join(
    "\n",
  );
  for (const name of NAMES) {
    const found = sources.match(new RegExp(`(.*)\nexport function ${name}\\(([^)]*)\\)`));
    assert.ok(found, `no kernel ${name}`);
    assert.match(found[1]!, /\*\/$/, `a comment /** … */ must stand right above ${name}`);
    // The first argument may have another name: `out` says more than the table's name of the only output.
    const types = { tensor: "usize", dim: "i32", scalar: "f32" };
    const written = found[2]!.split(",").map((argument) => argument.trim()).filter((argument) => argument !== "");
    assert.deepEqual(
      written.map((argument) => argument.split(": ")[1]),
      orderedArguments(name).map(({ kind }) => types[kind]),
      name,
    );
    assert.deepEqual(
      written.map((argument) => argument.split(": ")[0]).slice(1),
      orderedArguments(name).map((argument) => argument.name).slice(1),
      name,
    );
  }
});
