/**
 * What modules of models say in an engine, and what they run in.
 *
 * @param load Imports a file of the folder.
 * @param list Names and inputs of the models.
 * @param wasm Of the module with its WebAssembly in a file: that file, where it is not found beside the module.
 */
export async function models(load, list, wasm) {
  const found = {};
  for (const { name, inputs } of list) {
    const { info, predict } = await load(`model-${name}.js`);
    found[name] = { engine: info.engine, predictions: inputs.map((x) => predict(x)) };
  }
  const { info, predict, useWasm } = await load("file-moves.js"),
    { inputs } = list.find(({ name }) => name === "moves");
  const before = info.engine, then = await useWasm(wasm).then(() => info.engine, () => "refused");
  found.file = { engine: `${before}, then ${then}`, predictions: inputs.map((x) => predict(x)) };
  return found;
}
