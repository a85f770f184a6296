/**
 * Fails on what the architecture does not allow: an import arrow that points the wrong way, a cycle, a third-party
 * module outside deps.ts, printing or files outside the few places for them.
 *
 *     deno task imports
 *
 * Arrows come from `deno info --json mod.ts`, the rest from the source text. An `import type` counts as an import: what a
 * reader must know to understand a file is the same.
 *
 * @module
 */

import { commandLine } from "./command_line.ts";

/** Rooms of core/ and the rooms each may import; every room may import itself. Kernels are shipped as bytes in device/. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  kernels: [],
  shaders: [],
  device: ["shaders"],
  fleet: [],
  model: ["device", "fleet"],
  data: [],
  train: ["device", "fleet", "model", "data"],
  report: ["model", "data", "train"],
  exchange: ["model", "data"],
  job: ["device", "fleet", "model", "data", "train", "report", "exchange"],
  serve: ["job", "model", "data", "train", "exchange"],
  cli: ["serve", "fleet", "job", "train", "report", "exchange"],
};

/** What everyone in core/ may import; among themselves, they import nothing else. */
const SHARED = [
  "core/display.ts",
  "core/engine.ts",
  "core/errors.ts",
  "core/greatest.ts",
  "core/math.ts",
  "core/options.ts",
  "core/random.ts",
  "core/version.ts",
];

/** The one file that may import the loader of WASM modules. */
const LOADER = { specifier: "npm:@assemblyscript/loader", user: "core/device/wasm.ts" };

/** Where files may be read and written. */
const USES_FILES = /^core\/(train\/(checkpoint\/load|durable)\.ts|cli\/.*)$/;

/** What nobody may read: mod.ts hands the command line to main(). */
const ARGUMENTS = /\bDeno\s*\.\s*args\b/;

/** What only core/cli may do, and what only the above may. */
const TERMINAL = /\bconsole\s*[.[]|\bDeno\s*\.\s*(exit|exitCode|stdin|stdout|stderr)\b|\b(alert|confirm|prompt)\(/;
const FILES = new RegExp(
  String
    .raw`\bDeno\s*\.\s*(append|chdir|chmod|chown|copyFile|create|cwd|fsync|link|lstat|make|mkdir|open|read|realPath|` +
    String.raw`remove|rename|stat|symlink|truncate|umask|utime|watchFs|write)`,
);

/** The one file that may name the GPU. */
const GPU = { names: /\b(navigator\s*\??\.\s*gpu|GPU[A-Z]\w+)\b/, user: "core/device/webgpu.ts" };

/** The one file that opens libraries. */
const FFI = { names: /\bDeno\s*\.\s*(dlopen|Unsafe\w+)/, user: "core/fleet/mpi.ts" };

/** Modules by path from the repository's root, each with what it imports; what is not ours is a full specifier. */
export type Graph = ReadonlyMap<string, readonly string[]>;

const THIRD_PARTY = /^(npm|jsr|node|https?|data|blob):/;

/** A version in full, as in npm:@scope/name@1.2.3/path. */
const PINNED = /^(npm|jsr):\/?(@[^/@]+\/)?[^/@]+@\d+\.\d+\.\d+[^/]*(\/|$)/;

function roomOf(path: string): string | undefined {
  return path.match(/^core\/([^/]+)\//)?.[1];
}

/** What is wrong with an import, or undefined. */
function wrongImport(from: string, to: string): string | undefined {
  if (THIRD_PARTY.test(to)) {
    if (from !== "deps.ts") return "third-party modules are imported by deps.ts alone";
    return /^(npm|jsr):/.test(to) && !PINNED.test(to) ? "its version is not pinned" : undefined;
  }
  if (to === "mod.ts") return "nobody imports mod.ts";
  if (from === "mod.ts") return undefined;
  if (from === "deps.ts") return "deps.ts imports third-party modules alone";
  if (SHARED.includes(to)) return undefined;
  if (SHARED.includes(from)) return `${from} is everyone's: it imports nothing but ${SHARED.join(", ")}`;
  if (to === "deps.ts") return undefined;
  const room = roomOf(from), target = roomOf(to);
  if (!room || !(room in MAY_IMPORT)) return `${from} stands in no room of core/`;
  if (room === target) return undefined;
  if (target && MAY_IMPORT[room]!.includes(target)) return undefined;
  return `${room}/ imports ${["itself", ...MAY_IMPORT[room]!.map((name) => `${name}/`)].join(", ")} alone`;
}

/** Paths of imports that lead back to where they began; at least one if there are any. */
function cycles(graph: Graph): string[][] {
  const done = new Set<string>(), found: string[][] = [];
  const visit = (module: string, path: string[]) => {
    const seen = path.indexOf(module);
    if (seen >= 0) found.push([...path.slice(seen), module]);
    if (seen >= 0 || done.has(module)) return;
    for (const next of graph.get(module) ?? []) visit(next, [...path, module]);
    done.add(module);
  };
  for (const module of graph.keys()) visit(module, []);
  return found;
}

/** Source text without comments, as far as they start a line. */
function code(text: string): string {
  return text.replaceAll(/^\s*(\/\*[\s\S]*?\*\/|\/\/.*$)/gm, "");
}

/**
 * Everything that is wrong, one line each.
 *
 * @param graph What mod.ts reaches.
 * @param sources Text of deps.ts, of everything in core/, and of scripts and tests, by path.
 */
export function problems(graph: Graph, sources: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  for (const [from, imports] of graph) {
    if (THIRD_PARTY.test(from)) continue;
    for (const to of imports) {
      const reason = wrongImport(from, to);
      if (reason) found.push(`${from} imports ${to}: ${reason}`);
    }
  }
  for (const path of cycles(graph)) found.push(`imports go in a circle: ${path.join(" → ")}`);

  const loaderName = code(sources.get("deps.ts") ?? "").match(
    new RegExp(`export const (\\w+)[^;]*import\\("${LOADER.specifier}@`),
  )?.[1];
  if (sources.has("deps.ts") && loaderName === undefined) found.push(`deps.ts does not load ${LOADER.specifier}`);
  for (const [path, text] of sources) {
    const room = roomOf(path), source = code(text);
    if (/^(scripts|tests)\//.test(path)) {
      for (const [, specifier] of source.matchAll(/^(?:import|export|\})[^"\n]*"((?:npm|jsr|https?):[^"]*)"/gm)) {
        if (!PINNED.test(specifier!)) found.push(`${path} imports ${specifier}: its version is not pinned`);
      }
    }
    if (!path.startsWith("core/")) continue;
    if (room === "kernels" || room === "shaders") {
      // Their own compilers read these: no module of the graph, but no way out of the room either.
      for (const [, to] of source.matchAll(/\bfrom\s*"([^"]*)"/g)) {
        if (!/^\.\/\w+(\.ts)?$/.test(to!)) found.push(`${path} imports ${to}: ${room}/ imports itself alone`);
      }
      continue;
    }
    if (!graph.has(path)) found.push(`${path} is reached by nothing in mod.ts`);
    if (path !== LOADER.user && loaderName && new RegExp(`\\b${loaderName}\\b`).test(source)) {
      found.push(`${path} names ${loaderName}: only ${LOADER.user} uses the loader`);
    }
    const gpu = source.match(GPU.names)?.[0];
    if (gpu && path !== GPU.user) found.push(`${path} names ${gpu}: only ${GPU.user} uses the GPU`);
    const ffi = source.match(FFI.names)?.[0];
    if (ffi && path !== FFI.user) found.push(`${path} uses ${ffi}: only ${FFI.user} opens libraries`);
    const terminal = source.match(TERMINAL)?.[0], files = source.match(FILES)?.[0];
    if (terminal && room !== "cli") {
      found.push(`${path} uses ${terminal}: only core/cli prints or exits`);
    }
    if (ARGUMENTS.test(source)) found.push(`${path} reads Deno.args: mod.ts hands the command line to main()`);
    if (files && !USES_FILES.test(path)) found.push(`${path} uses ${files}…: only ${USES_FILES.source} touches files`);
  }
  return found;
}

/** What `deno info --json` says of a module, as far as it is used here. */
interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string; readonly error?: string };
      readonly type?: { readonly specifier?: string; readonly error?: string };
    }[];
  }[];
}

/** The modules that mod.ts reaches. */
async function readGraph(root: URL): Promise<Graph> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", new URL("mod.ts", root).href],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as Info;
  const short = (specifier: string) => specifier.startsWith(root.href) ? specifier.slice(root.href.length) : specifier;
  return new Map(modules.map(({ specifier, error, dependencies = [] }) => {
    if (error) throw new Error(error);
    const targets = dependencies.flatMap((dependency) => {
      // A third-party module counts as it is written, not as it is resolved: the text must hold the pinned version.
      if (THIRD_PARTY.test(dependency.specifier)) return [dependency.specifier];
      return [dependency.code?.specifier, dependency.type?.specifier].filter((to) => to !== undefined).map(short);
    });
    return [short(specifier), [...new Set(targets)]];
  }));
}

/** The text of every .ts and .wgsl file below some folders, and of deps.ts. */
async function readSources(root: URL, folders: readonly string[]): Promise<Map<string, string>> {
  const sources = new Map([["deps.ts", await Deno.readTextFile(new URL("deps.ts", root))]]);
  for (const folder of folders) {
    for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
      const path = `${folder}${name}`;
      if (isDirectory) { for (const [key, text] of await readSources(root, [`${path}/`])) sources.set(key, text); }
      else if (/\.(ts|wgsl)$/.test(name)) sources.set(path, await Deno.readTextFile(new URL(path, root)));
    }
  }
  return sources;
}

if (import.meta.main) {
  commandLine("deno task imports", "Fails on an import arrow that points the wrong way.", {});
  const root = new URL("..", import.meta.url);
  const graph = await readGraph(root), sources = await readSources(root, ["core/", "scripts/", "tests/"]);
  const found = problems(graph, sources);
  for (const line of found) console.error(line);
  if (found.length) Deno.exit(1);
  console.log(`Checked the imports of ${[...graph.keys()].filter((path) => !THIRD_PARTY.test(path)).length} modules`);
}
