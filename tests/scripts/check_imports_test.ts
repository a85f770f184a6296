import assert from "node:assert/strict";
import { problems } from "../../scripts/check_imports.ts";

const DEPS = `export const loadLoader = () => import("npm:@assemblyscript/loader@0.28.20");`;

/** What is wrong where the given modules import one another; every file is reached and empty unless `text` says more. */
function check(imports: Record<string, string[]>, text: Record<string, string> = {}): string[] {
  const graph = new Map(Object.entries(imports));
  const files = [...graph.keys()].filter((path) => path.startsWith("core/")).map((path) => [path, ""] as const);
  return problems(graph, new Map([["deps.ts", DEPS], ...files, ...Object.entries(text)]));
}

/** Holds that one thing is wrong, and what is said of it. */
function assertOne(found: string[], message: RegExp): void {
  assert.equal(found.length, 1, found.join("\n"));
  assert.match(found[0]!, message);
}

Deno.test("problems() finds nothing wrong with arrows that point the right way", () => {
  const found = check({
    "mod.ts": ["core/cli/main.ts", "core/model/model.ts"],
    "core/cli/main.ts": ["core/train/train.ts", "core/job/options.ts", "core/version.ts", "deps.ts"],
    "core/job/options.ts": ["core/model/model.ts", "core/data/sample.ts"],
    "core/train/train.ts": ["core/model/model.ts", "core/data/sample.ts", "core/train/trainer.ts"],
    "core/train/trainer.ts": ["core/device/wasm.ts"],
    "core/model/model.ts": ["core/device/wasm.ts", "core/options.ts"],
    "core/data/sample.ts": ["core/random.ts"],
    "core/device/wasm.ts": ["deps.ts"],
    "core/options.ts": ["core/random.ts"],
    "deps.ts": ["npm:@assemblyscript/loader@0.28.20", "node:util"],
    "npm:/@assemblyscript/loader@0.28.20": [],
  }, {
    "core/device/wasm.ts": `import { loadLoader } from "../../deps.ts";`,
    "core/kernels/gru.ts": `import { exp } from "./simd";`,
    "core/cli/main.ts": "console.log(args); Deno.exit(await Deno.readTextFile(name));",
    "core/data/sample.ts": "/**\n * console.log(sample);\n */\n// Deno.exit()\n",
    "tests/some_test.ts": `import fc from "npm:fast-check@4.10.2"; import assert from "node:assert/strict";`,
  });
  assert.deepEqual(found, []);
});

Deno.test("problems() finds every arrow that points the wrong way", () => {
  const wrong: [from: string, to: string, message: RegExp][] = [
    ["core/device/wasm.ts", "core/model/model.ts", /device\/ imports itself/],
    ["core/model/model.ts", "core/train/train.ts", /model\/ imports itself/],
    ["core/model/model.ts", "core/data/sample.ts", /model\/ imports itself/],
    ["core/data/sample.ts", "core/model/model.ts", /data\/ imports itself/],
    ["core/data/sample.ts", "core/device/wasm.ts", /data\/ imports itself/],
    ["core/train/train.ts", "core/cli/main.ts", /train\/ imports itself/],
    ["core/job/options.ts", "core/cli/options.ts", /job\/ imports itself/],
    ["core/cli/main.ts", "core/model/model.ts", /cli\/ imports itself/],
    ["core/device/wasm.ts", "core/kernels/gru.ts", /device\/ imports itself/],
    ["core/cli/main.ts", "mod.ts", /nobody imports mod\.ts/],
    ["core/options.ts", "core/model/config.ts", /everyone's/],
    ["core/options.ts", "deps.ts", /everyone's/],
    ["core/utils/all.ts", "core/model/config.ts", /no room/],
    ["core/model/model.ts", "node:util", /deps\.ts alone/],
    ["core/model/model.ts", "npm:valibot@1.5.0", /deps\.ts alone/],
    ["core/model/model.ts", "https://example.com/a.ts", /deps\.ts alone/],
    ["deps.ts", "npm:valibot", /not pinned/],
    ["deps.ts", "npm:valibot@^1.5.0", /not pinned/],
    ["deps.ts", "jsr:@std/cli@1/parse-args", /not pinned/],
    ["deps.ts", "core/model/config.ts", /third-party modules alone/],
  ];
  for (const [from, to, message] of wrong) assertOne(check({ [from]: [to] }), message);
});

Deno.test("problems() finds a cycle, and only one for it", () => {
  const a = "core/model/a.ts", b = "core/model/b.ts", c = "core/model/c.ts";
  assertOne(
    check({ [a]: [b, c], [b]: [c], [c]: [b] }),
    /in a circle: core\/model\/b.ts → core\/model\/c.ts → core\/model/,
  );
  assertOne(check({ [a]: [a] }), /in a circle/);
  assert.deepEqual(check({ [a]: [b, c], [b]: [c], [c]: [] }), []);
});

Deno.test("problems() finds what stands in the wrong place", () => {
  const wrong: [path: string, text: string, message: RegExp][] = [
    ["core/train/train.ts", `console.log("x");`, /uses console\.: only core\/cli prints/],
    ["core/train/checkpoint/load.ts", "Deno.exit(1);", /uses Deno\.exit/],
    ["core/cli/main.ts", "const [a] = Deno.args;", /reads Deno\.args: mod\.ts hands/],
    ["core/options.ts", "Deno.stdout.writeSync(a);", /uses Deno\.stdout/],
    ["core/train/train.ts", "await Deno.writeTextFile(a, b);", /uses Deno\.write…/],
    ["core/data/csv.ts", "Deno.openSync(a);", /uses Deno\.open…/],
    ["core/model/model.ts", `import { loadLoader } from "../../deps.ts";`, /only core\/device\/wasm\.ts/],
    ["core/model/model.ts", "const adapter = await navigator.gpu.requestAdapter();", /only core\/device\/webgpu\.ts/],
    ["core/device/wasm.ts", "let buffer: GPUBuffer;", /names GPUBuffer/],
    ["core/kernels/gru.ts", `import { KERNELS } from "../device/kernels.ts";`, /kernels\/ imports itself/],
    ["scripts/build.ts", `import asc from "npm:assemblyscript/asc";`, /not pinned/],
    ["tests/some_test.ts", `import {\n  a,\n} from "npm:fast-check@4";`, /not pinned/],
  ];
  for (const [path, text, message] of wrong) assertOne(check({ [path]: [] }, { [path]: text }), message);
  assertOne(problems(new Map(), new Map([["core/model/unused.ts", ""]])), /reached by nothing/);
});
