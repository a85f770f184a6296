/**
 * ONNX Runtime as a side of the prediction benchmark: see scripts/bench/protocol.ts. The argument says which package:
 * onnxruntime-web (WebAssembly) or onnxruntime-node (native).
 *
 * @module
 */

import { type Predictor, serve } from "../protocol.ts";
import type { Work } from "../work.ts";
import { onnxModel } from "./onnx_model.ts";

const NAME = Deno.args[0]!, VERSION = "1.30.0";

/** (B, T, I) with time first, as ONNX's GRU wants it. */
function timeFirst(x: Float32Array, B: number, T: number, I: number): Float32Array {
  const result = new Float32Array(x.length);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) result.set(x.subarray((b * T + t) * I, (b * T + t + 1) * I), (t * B + b) * I);
  }
  return result;
}

async function predict({ size, parameters, x }: Omit<Work, "targets">, threads: number): Promise<Predictor> {
  // A name put together at run time keeps the package out of the project's lock file and of its type checks.
  const ort = await import(`npm:${NAME}@${VERSION}`);
  const web = NAME === "onnxruntime-web";
  if (web) ort.env.wasm.numThreads = threads;
  const session = await ort.InferenceSession.create(onnxModel(size, parameters), {
    executionProviders: [web ? "wasm" : "cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
  });
  const { B, T, I } = size;
  const input = (data: Float32Array, rows: number) => ({ x: new ort.Tensor("float32", data, [T, rows, I]) });
  const all = input(timeFirst(x, B, T, I), B), one = x.slice(0, T * I);
  return {
    about: `${web ? "WebAssembly" : "native"}, ${threads} thread${threads > 1 ? "s" : ""}, in Deno`,
    versions: { [NAME]: VERSION },
    probabilities: async () => (await session.run(all)).probabilities.data,
    calls: { single: () => session.run(input(one, 1)), batch: () => session.run(all) },
  };
}

await serve({ predict });
