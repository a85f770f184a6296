/**
 * Stands in for the loader of WASM modules in what is built for other engines: it does what is used of that, which is much
 * more. Threads instantiate the module so everywhere.
 *
 * @module
 */

/** Instantiates a module. */
export function instantiateSync(
  module: WebAssembly.Module,
  imports: WebAssembly.Imports,
): {
  readonly module: WebAssembly.Module;
  readonly instance: WebAssembly.Instance;
  readonly exports: WebAssembly.Exports;
} {
  const instance = new WebAssembly.Instance(module, imports);
  return { module, instance, exports: instance.exports };
}
