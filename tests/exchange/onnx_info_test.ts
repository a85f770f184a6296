import assert from "node:assert/strict";
import { modelFile } from "../../core/exchange/model_file.ts";
import { exportOnnx } from "../../core/exchange/onnx.ts";
import { describeOnnx } from "../../core/exchange/onnx_info.ts";
import { message } from "../../core/exchange/protobuf.ts";
import { createModel, errorCode } from "../../mod.ts";

const bytesOf = (fields: Parameters<typeof message>[0]) =>
  Uint8Array.from(message(fields).flatMap((part) => [...part]));

Deno.test("an ONNX file says its inputs, outputs, operators and tensors, and what Grutto wrote", async () => {
  using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2 });
  const { lines, own } = describeOnnx(exportOnnx(await modelFile(model, { loss: "bce" })), "m.onnx");
  assert.match(lines[0]!, /^written by grutto \S+, operator set 17$/);
  assert.deepEqual(lines.filter((line) => /^(in|out)put /.test(line)), [
    "input x: float32 [batch, time, 5]",
    "input lengths: int32 [batch]",
    "output logits: float32 [batch, 2]",
    "output probabilities: float32 [batch, 2]",
    "output attention_weights: float32 [batch, time]",
  ]);
  assert.ok(lines.some((line) => /^operators .*\bGRU\b/.test(line)), lines.join("\n"));
  assert.equal(JSON.parse(own!).config.hiddenSize, 10);
});

Deno.test("an ONNX file of another program is described too, its dimensions packed or not", () => {
  const tensor = [[1, Uint8Array.of(3, 0xac, 0x02)], [2, 1], [8, "weight"]] as const;
  const dimension = (name: string | number) => [1, [[typeof name === "string" ? 2 : 1, name]]] as const;
  const input = [[1, "in"], [2, [[1, [[1, 1], [2, [dimension("n"), dimension(4)]]]]]]] as const;
  const model = bytesOf([
    [1, 8],
    [2, "pytorch"],
    [3, "2.13.0"],
    [7, [[1, [[4, "Gemm"]]], [5, tensor], [11, input], [11, [[1, "weight"]]], [12, [[1, "out"]]]]],
    [8, [[2, 18]]],
  ]);
  assert.deepEqual(describeOnnx(model, "m.onnx"), {
    lines: [
      "written by pytorch 2.13.0, operator set 18",
      "input in: float32 [n, 4]",
      "output out: type 0 []",
      "operators Gemm",
      "900 numbers in 1 tensor:",
      "  weight: float32 [3, 300]",
    ],
    own: undefined,
  });
});

Deno.test("what is no ONNX file, or was cut off, is refused with a code", async () => {
  using model = await createModel({ inputSize: 2, hiddenSize: 3, outputSize: 2 });
  const bytes = exportOnnx(await modelFile(model, { loss: "bce" }));
  for (
    const bad of [new Uint8Array(), new TextEncoder().encode("nothing"), bytes.subarray(0, 100), bytes.subarray(0, -5)]
  ) {
    assert.throws(() => describeOnnx(bad, "m.onnx"), (error) => errorCode(error) === "file-damaged");
  }
});
