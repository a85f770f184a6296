/**
 * Writes the library for people who use no Deno: a folder in the shape of an npm package, for Node, Bun, browsers and
 * bundlers. ES2022 modules in pieces that are loaded when they are wanted, types, and the core as `.wasm` files. In page/
 * stands a page that trains, as static files.
 *
 *     deno task dist [FOLDER]
 *
 * @module
 */

import esbuild from "npm:esbuild@0.28.2";
import { minify } from "npm:terser@5.51.4";
import ts from "npm:typescript@5.9.3";
import { fromBase64 } from "../../core/engine.ts";
import { PLAIN, RELAXED } from "../../core/device/wasm_module.ts";
import { commandLine, fail } from "../command_line.ts";
import { buildPage } from "../page/build.ts";

const ROOT = new URL("../../", import.meta.url);

/** Where the command line begins in mod.ts: what stands from there on is left out. */
const PROGRAM = "if (import.meta.main)";

/** The loader of WASM modules, of which little is used. */
const LOADER = /npm:@assemblyscript\/loader@[\d.]+/g;

/**
 * What a page that trains takes, an entry of its own: "/train". The whole library is more, and bundlers cannot take a part of
 * what is bundled already.
 */
const TRAINING = [
  "createModel",
  "createPredictor",
  "createTrainer",
  "defineNetwork",
  "evaluate",
  "formatCheckpoint",
  "predict",
  "randomSplit",
  "sampleDataset",
  "train",
  "Training",
];

/** Rooms that no library needs. */
const LEFT_OUT = ["cli", "kernels"];

/** Most bytes, packed, that it and the core may have. */
const BUDGET = 120_000;

const about = "Writes the library as an npm package: by default to dist/.";
const { operands } = commandLine("deno task dist", about, {}, ["[FOLDER]"]);
const out = new URL(`${operands[0] ?? "dist"}/`, `file://${Deno.cwd()}/`);

const temporary = await Deno.makeTempDir();
try {
  await copySources(temporary);
  await Deno.remove(out, { recursive: true }).catch(() => {});
  await Deno.mkdir(out, { recursive: true });
  await bundle(temporary);
  declare(temporary);
  await Deno.writeFile(new URL("relaxed.wasm", out), fromBase64(RELAXED));
  await Deno.writeFile(new URL("plain.wasm", out), fromBase64(PLAIN));
  await describe();
  await Deno.mkdir(new URL("page/", out));
  for (const [name, text] of await buildPage()) await Deno.writeTextFile(new URL(`page/${name}`, out), text);
} finally {
  await Deno.remove(temporary, { recursive: true });
}
await weigh();
await esbuild.stop();

/** The library's sources, without the command line. */
async function copySources(to: string) {
  const copy = async (folder: string) => {
    await Deno.mkdir(`${to}/${folder}`, { recursive: true });
    for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
      if (isDirectory) await copy(`${folder}${name}/`);
      else await Deno.copyFile(new URL(folder + name, ROOT), `${to}/${folder}${name}`);
    }
  };
  for await (const { name, isDirectory } of Deno.readDir(new URL("core", ROOT))) {
    if (isDirectory && !LEFT_OUT.includes(name)) await copy(`core/${name}/`);
  }
  for await (const { name, isFile } of Deno.readDir(new URL("core", ROOT))) {
    if (isFile) await Deno.copyFile(new URL(`core/${name}`, ROOT), `${to}/core/${name}`);
  }
  const deps = await Deno.readTextFile(new URL("deps.ts", ROOT));
  await Deno.writeTextFile(`${to}/deps.ts`, deps.replaceAll(LOADER, "./loader.ts"));
  await Deno.copyFile(new URL("loader.ts", import.meta.url), `${to}/loader.ts`);
  const bytes = await Deno.readTextFile(new URL("bytes.ts", import.meta.url));
  await Deno.writeTextFile(`${to}/core/device/bytes.ts`, bytes.replaceAll("../../core/", "../"));
  const mod = await Deno.readTextFile(new URL("mod.ts", ROOT)), end = mod.indexOf(PROGRAM);
  if (end < 0) fail(`mod.ts has no "${PROGRAM}"`);
  await Deno.writeTextFile(`${to}/mod.ts`, mod.slice(0, end));
  await Deno.writeTextFile(`${to}/train.ts`, TRAINING.map((name) => exported(mod, name)).join(""));
}

/** The line that exports a name of mod.ts from its module. */
function exported(mod: string, name: string): string {
  for (const [, names, path] of mod.matchAll(/export \{([^}]*)\} from "([^"]+)"/g)) {
    if (names!.split(",").some((own) => own.trim() === name)) return `export { ${name} } from "${path}";\n`;
  }
  fail(`mod.ts does not export ${name}`);
}

async function bundle(from: string) {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      "--no-lock",
      "--platform=browser",
      "--code-splitting",
      `--outdir=${from}/out`,
      "mod.ts",
      "train.ts",
    ],
    cwd: from,
    stdout: "null",
  }).output();
  if (!success) fail(new TextDecoder().decode(stderr));
  for await (const { name } of Deno.readDir(`${from}/out`)) {
    const { code } = await esbuild.transform(await Deno.readTextFile(`${from}/out/${name}`), {
      target: "es2022",
      format: "esm",
      minify: true,
      legalComments: "none",
    });
    // It finds more to leave out: 3 % of what is packed.
    const { code: less } = await minify(code, { module: true, ecma: 2020, compress: { passes: 3 } });
    await Deno.writeTextFile(new URL(name, out), less!);
  }
}

/** Types, a file for each module. */
function declare(from: string) {
  const program = ts.createProgram([`${from}/mod.ts`, `${from}/train.ts`], {
    declaration: true,
    emitDeclarationOnly: true,
    noCheck: true,
    allowImportingTsExtensions: true,
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ESNext,
    lib: ["lib.esnext.d.ts", "lib.dom.d.ts"],
    rootDir: from,
    types: [],
  });
  program.emit(undefined, (path, text) => {
    const name = path.slice(from.length + 1), target = new URL(`types/${name}`, out);
    // Nobody else's types: those of npm packages and of Deno are in nothing that mod.ts exports.
    const plain = name === "deps.d.ts"
      ? text.replace(/import\("[^"]+"\)(\.\w+)*/g, "any").replace(/typeof any/g, "any").replace(
        /export type \{ (\w+) \} from "[^"]+"/g,
        "export type $1 = any",
      )
      : text;
    const own = plain.replace(/(["'])(\.\.?\/[^"']+)\.ts\1/g, "$1$2.js$1").replace(/\bDeno\.FsFile\b/g, "unknown");
    const libraries = name.includes("/") ? "" : '/// <reference lib="esnext.disposable" />\n';
    Deno.mkdirSync(new URL(".", target), { recursive: true });
    Deno.writeTextFileSync(target, libraries + own);
  });
}

async function describe() {
  const { name, version, license } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const description = {
    name,
    version,
    license,
    type: "module",
    description: "Trains recurrent networks with attention on sequences, in WebAssembly",
    exports: {
      ".": { types: "./types/mod.d.ts", default: "./mod.js" },
      "./train": { types: "./types/train.d.ts", default: "./train.js" },
      "./plain.wasm": "./plain.wasm",
      "./relaxed.wasm": "./relaxed.wasm",
    },
    engines: { node: ">=20" },
    sideEffects: false,
  };
  await Deno.writeTextFile(new URL("package.json", out), `${JSON.stringify(description, null, 2)}\n`);
  for (const file of ["LICENSE", "CHANGELOG.md", "README.md"]) {
    await Deno.copyFile(new URL(file, ROOT), new URL(file, out));
  }
}

/** Says how much a page loads to train, and fails where that is too much. */
async function weigh() {
  const texts = new Map<string, string>(), wanted = new Set<string>();
  for await (const { name } of Deno.readDir(out)) {
    if (name.endsWith(".js")) texts.set(name, await Deno.readTextFile(new URL(name, out)));
  }
  const take = (name: string) => {
    if (wanted.has(name)) return;
    wanted.add(name);
    for (const [, imported] of texts.get(name)!.matchAll(/(?:from|import)"\.\/([^"/]+\.js)"/g)) take(imported!);
  };
  // Loaded when the first model is made: the device, and what instantiates modules.
  ["train.js", ...[...texts.keys()].filter((name) => /^(wasm|loader)-/.test(name))].forEach(take);
  let raw = 0, packed = await gzipped(await Deno.readFile(new URL("relaxed.wasm", out)));
  for (const name of wanted) {
    raw += texts.get(name)!.length;
    packed += await gzipped(new TextEncoder().encode(texts.get(name)));
  }
  console.log(`${out.pathname}: train.js loads ${raw} bytes of JavaScript, ${packed} packed with relaxed.wasm`);
  if (packed > BUDGET) fail(`that is more than ${BUDGET}`);
}

async function gzipped(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(stream).arrayBuffer()).byteLength;
}
