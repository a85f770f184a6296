/**
 * ONNX Runtime as a side of the prediction benchmark: see scripts/bench/protocol.ts. The argument says which package:
 * onnxruntime-web (WebAssembly) or onnxruntime-node (native).
 *
 * @module
 */

import { type Predictor, serve } from "../protocol.ts";
import { exportOnnx } from "../../../mod.ts";
import { configOf, type Work } from "../work.ts";

const NAME = Deno.args[0]!, VERSION = "1.30.0";

async function predict({ size, parameters, x }: Omit<Work, "targets">, threads: number): Promise<Predictor> {
  // A name put together at run time keeps the package out of the project's lock file and of its type checks.
  const ort = await import(`npm:${NAME}@${VERSION}`);
  const web = NAME === "onnxruntime-web";
  if (web) ort.env.wasm.numThreads = threads;
  const session = await ort.InferenceSession.create(exportOnnx({ config: configOf(size), parameters, loss: "bce" }), {
    executionProviders: [web ? "wasm" : "cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
  });
  const { B, T, I } = size;
  const input = (data: Float32Array, rows: number) => ({
    x: new ort.Tensor("float32", data, [rows, T, I]),
    lengths: new ort.Tensor("int32", new Int32Array(rows).fill(T), [rows]),
  });
  const all = input(x, B), one = x.slice(0, T * I);
  return {
    about: `${web ? "WebAssembly" : "native"}, ${threads} thread${threads > 1 ? "s" : ""}, in Deno`,
    versions: { [NAME]: VERSION },
    probabilities: async () => (await session.run(all)).probabilities.data,
    calls: { single: () => session.run(input(one, 1)), batch: () => session.run(all) },
  };
}

await serve({ predict });
