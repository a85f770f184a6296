import { instantiateSync } from "../../deps.ts";
import type { Device, Plan, Program } from "./device.ts";
import { KERNELS, orderedArguments, type Tensor } from "./kernels.ts";
import { CONTROL_BYTES, ThreadPool } from "./threads.ts";
import { PLAIN, RELAXED } from "./wasm_module.ts";

const PAGE = 65536;
/** The largest memory of 32-bit WASM, in pages. */
const MAX_PAGES = 65536;

/** The exports of the module besides the kernels. */
interface Exports extends Record<string, unknown> {
  /** Runs `count` calls encoded from address `program` on; `scratch` is the base of scratch tensors. */
  run(program: number, count: number, scratch: number): void;
  /** First address behind the module's own constants. */
  arenaStart(): number;
}

/** A task as the module reads it: kernel numbers and arguments, one 4-byte word each. */
interface Encoded {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly calls: number;
}

const NUMBERS = new Map(Object.keys(KERNELS).map((name, i) => [name, i]));

let compiled: { module: WebAssembly.Module; simd: string } | undefined;

/** The module, compiled once per process: with relaxed SIMD (fused multiply-add) where the engine has it. */
export function compileModule(): { module: WebAssembly.Module; simd: string } {
  if (compiled) return compiled;
  const relaxed = decode(RELAXED);
  const fused = WebAssembly.validate(relaxed);
  const module = new WebAssembly.Module(fused ? relaxed : decode(PLAIN));
  return compiled = { module, simd: fused ? "relaxed SIMD" : "SIMD" };
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

/** Kernels in WebAssembly with 128-bit SIMD, on the CPU. */
export class WasmDevice implements Device {
  readonly name = "wasm";
  readonly #module: WebAssembly.Module;
  readonly #simd: string;
  #threads: number;
  #note = "";
  #memory!: WebAssembly.Memory;
  #exports!: Exports;
  #bytes!: Uint8Array;
  #pool: ThreadPool | undefined;
  #control = 0;
  #base = 0;
  #pages = 0;
  #plan: Plan | undefined;
  #scratch = 0;
  #scratchSize = 0;
  #addresses = new Map<Program, { tasks: { address: number; calls: number }[]; list: number }[]>();
  #encoded = new WeakMap<Plan, Encoded[][][]>();

  /** @param threads Threads for programs that have several tasks in a stage. */
  constructor(threads: number) {
    const { module, simd } = compileModule();
    this.#module = module;
    this.#simd = simd;
    this.#threads = threads;
    this.#instantiate(1);
  }

  get description(): string {
    const threads = this.#threads === 1 ? "1 thread" : `up to ${this.#threads} threads`;
    return `WebAssembly, ${this.#simd}, ${threads}${this.#note}`;
  }

  #instantiate(pages: number) {
    this.#pool?.dispose();
    this.#pool = undefined;
    // Fixed size: views would be lost when memory grows, so a larger plan gets a new memory (see load).
    this.#memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.#exports = instantiateSync<Exports>(this.#module, { env: { memory: this.#memory } }).exports as Exports;
    this.#bytes = new Uint8Array(this.#memory.buffer);
    this.#control = align(this.#exports.arenaStart());
    this.#base = align(this.#control + CONTROL_BYTES);
    this.#pages = pages;
  }

  load(plan: Plan, keep: number): void {
    if (plan === this.#plan) return;
    const first = this.#plan === undefined;
    let encoded = this.#encoded.get(plan);
    if (!encoded) {
      encoded = plan.programs.map((program) => program.map((stage) => stage.map((task) => this.#encode(task))));
      this.#encoded.set(plan, encoded);
    }
    const tasks = encoded.flat(2);
    const scratch = align(this.#base + 4 * plan.arena), scratchSize = align(4 * plan.scratch);
    const programs = scratch + scratchSize * (plan.parallel ? this.#threads : 1);
    const lists = tasks.reduce((sum, { words }) => sum + words.byteLength, programs), end = lists + 8 * tasks.length;
    const pages = Math.ceil(end / PAGE);
    if (pages > MAX_PAGES) {
      throw new RangeError(
        `Cannot place the model in memory: it needs ${mebibytes(end)} MiB (arena ${
          mebibytes(4 * plan.arena)
        }, scratch ${
          mebibytes(programs - scratch)
        }), 32-bit WebAssembly has 4096: take a smaller batch, fewer steps, a smaller hidden size or fewer threads`,
      );
    }
    if (pages > this.#pages) {
      const old = this.#bytes.subarray(this.#base, this.#base + 4 * keep);
      this.#instantiate(pages);
      if (!first) this.#bytes.set(old, this.#base);
    }
    this.#scratch = scratch;
    this.#scratchSize = scratchSize;
    this.#addresses = new Map();
    let address = programs, list = lists;
    plan.programs.forEach((program, i) => {
      const stages = encoded[i]!.map((stage) => {
        const tasks = stage.map(({ words, calls }) => {
          this.#bytes.set(new Uint8Array(words.buffer), address);
          const placed = { address, calls };
          address += words.byteLength;
          return placed;
        });
        const table = Uint32Array.from(tasks.flatMap(({ address, calls }) => [address, calls]));
        this.#bytes.set(new Uint8Array(table.buffer), list);
        const placed = { tasks, list };
        list += table.byteLength;
        return placed;
      });
      this.#addresses.set(program, stages);
    });
    this.#plan = plan;
  }

  /** One word per kernel number, address or number. Scratch addresses are relative, marked by their lowest bit. */
  #encode(task: Program[number][number]): Encoded {
    const words: number[] = [];
    const real = new Float32Array(1), bits = new Uint32Array(real.buffer);
    for (const call of task) {
      words.push(NUMBERS.get(call.kernel)!);
      for (const { name, kind } of orderedArguments(call.kernel)) {
        const value = call.arguments[name] ?? null;
        if (kind === "tensor") words.push(value === null ? 0 : this.#address(value as Tensor));
        else if (typeof value !== "number" || Number.isNaN(value)) {
          throw new TypeError(`Cannot call kernel "${call.kernel}": ${name} is ${value}`);
        } else if (kind === "dim") words.push(value);
        else {
          real[0] = value;
          words.push(bits[0]!);
        }
      }
    }
    return { words: Uint32Array.from(words), calls: task.length };
  }

  #address(tensor: Tensor): number {
    return tensor.scratch ? 4 * tensor.offset + 1 : this.#base + 4 * tensor.offset;
  }

  write(tensor: Tensor, data: Float32Array | Int32Array | Uint32Array): void {
    if (data.length > tensor.length) {
      throw new RangeError(`Cannot write ${data.length} numbers to a tensor of ${tensor.length}`);
    }
    this.#bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), this.#address(tensor));
  }

  run(program: Program): void | Promise<void> {
    const stages = this.#addresses.get(program);
    if (!stages) throw new TypeError("Cannot run a program that is not part of the loaded plan");
    if (this.#plan!.parallel && this.#threads > 1) return this.#runOnThreads(stages);
    const { run } = this.#exports, scratch = this.#scratch;
    for (const { tasks } of stages) for (const { address, calls } of tasks) run(address, calls, scratch);
  }

  async #runOnThreads(stages: { tasks: { address: number; calls: number }[]; list: number }[]): Promise<void> {
    this.#pool ??= new ThreadPool(this.#module, this.#memory, this.#control, this.#threads);
    const tables = stages.map(({ tasks, list }) => ({ tasks: tasks.length, list }));
    await this.#pool.run(tables, this.#scratch, this.#scratchSize);
  }

  read(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
    const start = this.#address(tensor);
    return Promise.resolve(new Float32Array(this.#bytes.slice(start, start + 4 * tensor.length).buffer));
  }

  dispose(): void {
    this.#plan = undefined;
    this.#addresses.clear();
    this.#instantiate(1);
  }
}

function align(address: number): number {
  return Math.ceil(address / 64) * 64;
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
