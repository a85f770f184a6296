/**
 * Compiles core/kernels to core/device/wasm_module.ts, and what exported models are put together of to
 * core/exchange/module/pieces.ts: the kernels of one sequence by themselves, and pieces of JavaScript.
 *
 *     deno task build           writes both
 *     deno task build --check   fails when what is committed is not what the sources give
 *
 * The module's `run` is written here from the kernel table: it reads a kernel's number and its arguments from memory and
 * calls it, so that no call passes through JavaScript and none can forget an argument.
 *
 * @module
 */

import asc from "npm:assemblyscript@0.28.20/asc";
import { controlPlaces } from "../core/device/control.ts";
import { type KernelName, KERNELS, LANES, orderedArguments, PANEL, STRIP } from "../core/device/kernels.ts";
import { LIVE_NAMES } from "../core/device/live.ts";
import { commandLine } from "./command_line.ts";
import { pieces, style } from "./pieces.ts";
import { tiles } from "./tiles.ts";

const ROOT = new URL("..", import.meta.url);
const SOURCES = new URL("core/kernels/", ROOT);
const TARGET = new URL("core/device/wasm_module.ts", ROOT);
/** What exported models are put together of, each after those it imports. */
const RUNTIME = [
  "core/math.ts",
  ...[
    "memory",
    "kernels",
    "in_turn",
    "network",
    "plain",
    "numbers",
    "text",
    "answers",
    "forecast",
    "decoding",
    "pairs",
    "table",
    "page",
  ].map((name) => `core/exchange/module/runtime/${name}.js`),
];
const PIECES = new URL("core/exchange/module/pieces.ts", ROOT);

// -O2, never -O3 or --converge: both make V8 chain the multiply-adds of a tile and spill its accumulators (1.4 times slower).
const PLAINLY = ["-O2", "--noAssert", "--runtime", "stub"];
const OPTIONS = [...PLAINLY, "--importMemory", "--sharedMemory", "--maximumMemory", "65536"];
const BUILDS = { RELAXED: "threads,simd,relaxed-simd", PLAIN: "threads,simd" };

/** Kernels of one sequence by itself, but for those that pack: a module does that in JavaScript. */
const SINGLE = (Object.keys(KERNELS) as KernelName[]).filter((name) =>
  name.endsWith("Single") || name === "copyVector" || name === "clear"
);

/** How calls read their arguments from memory: as what follows a kernel's number. */
interface Words {
  readonly tensor: (at: number) => string;
  readonly dim: (at: number, name: string) => string;
  readonly scalar: (at: number) => string;
}

/** Numbers that may follow the steps left. */
const LIVE: readonly string[] = LIVE_NAMES;

/** Calls of kernels by number. */
function cases(names: readonly KernelName[], read: Words): string {
  return names.map((name, number) => {
    const args = orderedArguments(name);
    const values = args.map(({ name, kind }, i) => read[kind](4 * (i + 1), name));
    return `      case ${number}: kernels.${name}(${values.join(", ")}); p += ${4 * (args.length + 1)}; break;`;
  }).join("\n");
}

/** The dispatcher in AssemblyScript. */
function dispatcher(): string {
  const words = {
    tensor: (at: number) => `tensor(load<u32>(p, ${at}), odd)`,
    dim: (at: number, name: string) => LIVE.includes(name) ? `number(load<i32>(p, ${at}))` : `load<i32>(p, ${at})`,
    scalar: (at: number) => `load<f32>(p, ${at})`,
  };
  return `import { liveSteps } from "./copy";
import * as kernels from "./mod";
export * from "./mod";
// An odd address is one more than a distance from the start of the scratch space; \`odd\` is one less than that.
@inline function tensor(address: usize, odd: usize): usize {
  return address + (address & 1) * odd;
}
// A number below 0 follows the steps that its block has left: see core/device/live.ts.
function number(word: i32): i32 {
  return word >= 0 ? word : liveSteps(word);
}
export function arenaStart(): usize {
  return __heap_base;
}
export function run(p: usize, count: i32, scratch: usize): void {
  const odd = scratch - 1;
  for (let i = 0; i < count; i++) {
    switch (load<i32>(p)) {
${cases(Object.keys(KERNELS) as KernelName[], words)}
      default: unreachable();
    }
  }
}
`;
}

/** The same for one sequence by itself, with a memory of its own; tensors are elements of it. */
function singleDispatcher(): string {
  const word = (at: number) => `load<i32>(p, ${at})`;
  const words = {
    tensor: (at: number) => `<usize> ${word(at)} << 2`,
    dim: word,
    scalar: (at: number) => `load<f32>(p, ${at})`,
  };
  return `import * as kernels from "./mod";
export function first(): usize {
  return __heap_base;
}
export function run(p: usize, size: i32): void {
  const end = p + (<usize> size << 2);
  while (p < end) {
    switch (load<i32>(p)) {
${cases(SINGLE, words)}
      default: unreachable();
    }
  }
}
`;
}

/** What the kernels import as "./constants": the numbers that the host and the shaders share with them. */
function constants(): string {
  const bits = Math.log2(LANES);
  return `/** Rows side by side in a group, and their logarithm. */
export const LANES: i32 = ${LANES};
export const LANE_BITS: i32 = ${bits};
/** Bytes of one feature of a group. */
export const FEATURE: usize = ${4 * LANES};
/** Rows of a packed matrix in one panel. */
export const PANEL: i32 = ${PANEL};
/** Rows of a weight's gradient that are made at a time. */
export const STRIP: i32 = ${STRIP};
/** Bytes from the start of the control tensor. */
${controlPlaces().map(([name, place]) => `export const ${name}: usize = ${4 * place};`).join("\n")}
/** Groups that hold so many rows. */
@inline export function groupsOf(rows: i32): i32 {
  return (rows + ${LANES - 1}) >> ${bits};
}
/** Rows up to the end of the last group. */
@inline export function wholeGroups(rows: i32): i32 {
  return (rows + ${LANES - 1}) & ${-LANES};
}
`;
}

async function compile(
  sources: ReadonlyMap<string, string>,
  options: readonly string[],
  entry = "entry.ts",
): Promise<Uint8Array<ArrayBuffer>> {
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const { error, stderr } = await asc.main(
    [entry, ...options, "--disableWarning", "112", "-o", "out.wasm"],
    {
      readFile: (name) => sources.get(name) ?? null,
      writeFile: (name, data) => {
        if (name === "out.wasm") binary = data as Uint8Array<ArrayBuffer>;
      },
      listFiles: () => [],
    },
  );
  if (error || !binary) throw new Error(`Cannot compile core/kernels:\n${stderr}`);
  return binary;
}

async function sourceFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for await (const { name } of Deno.readDir(SOURCES)) files.set(name, await Deno.readTextFile(new URL(name, SOURCES)));
  return new Map(
    [...files].sort().concat([["constants.ts", constants()], ["tiles.ts", tiles()], ["entry.ts", dispatcher()]]),
  );
}

async function hash(sources: Map<string, string>): Promise<string> {
  const text = JSON.stringify([OPTIONS, BUILDS, asc.version, ...sources]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}

function base64Lines(name: string, bytes: Uint8Array): string {
  return `/** ${bytes.length} bytes. */\nexport const ${name}: string =\n  "${bytes.toBase64()}";\n`;
}

/** What exported models are put together of, as a source text. */
async function modulePieces(sources: ReadonlyMap<string, string>): Promise<string> {
  const own = new Map([...sources, ["single.entry.ts", singleDispatcher()]]);
  const binary = await compile(own, [...PLAINLY, "--enable", "simd"], "single.entry.ts");
  console.log(`one sequence by itself: ${binary.length} bytes`);
  const { first } = new WebAssembly.Instance(new WebAssembly.Module(binary)).exports as { first(): number };
  const files = new Map<string, string>();
  for (const path of RUNTIME) files.set(path, await Deno.readTextFile(new URL(path, ROOT)));
  return `// Generated by scripts/build.ts from core/kernels and core/exchange/module/runtime: do not edit; run \`deno task build\`.

/** A piece of JavaScript: its short name, its text, and the pieces that it uses. */
export interface Piece {
  readonly as: string;
  readonly code: string;
  readonly uses: readonly string[];
}

/** All pieces by name, in an order in which they may stand. */
export const PIECES: Readonly<Record<string, Piece>> = {
${Object.entries(await pieces(files)).map(([name, piece]) => `  ${name}: ${JSON.stringify(piece)},`).join("\n")}
};

/** The style of pages. */
export const PAGE_STYLE = ${
    JSON.stringify(await style(await Deno.readTextFile(new URL("core/exchange/module/runtime/page.css", ROOT))))
  };

/** The kernels that SINGLE_WASM knows, by number. */
export const SINGLE_KERNELS: readonly string[] = ${JSON.stringify(SINGLE)};

/** Bytes of its memory that it has for itself. */
export const SINGLE_FIRST = ${first()};

${base64Lines("SINGLE_WASM", binary)}`;
}

const { values } = commandLine("deno task build", "Compiles core/kernels, and the pieces of exported models.", {
  check: { type: "boolean", default: false, about: "only compare: fail where what is committed is something else" },
});
const sources = await sourceFiles();
let text = `// Generated by scripts/build.ts from core/kernels: do not edit; run \`deno task build\`.
// AssemblyScript ${asc.version}, source hash ${await hash(sources)}

`;
for (const [name, features] of Object.entries(BUILDS)) {
  const binary = await compile(sources, [...OPTIONS, "--enable", features]);
  console.log(`${name.toLowerCase()}: ${binary.length} bytes`);
  text += base64Lines(name, binary);
}
for (const [target, made] of [[TARGET, text], [PIECES, await modulePieces(sources)]] as const) {
  if (!values.check) await Deno.writeTextFile(target, made);
  else if (await Deno.readTextFile(target).catch(() => "") !== made) {
    console.error(`${target.pathname.slice(ROOT.pathname.length)} is older than its sources: run \`deno task build\``);
    Deno.exit(1);
  }
}
