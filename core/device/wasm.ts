import { loadLoader } from "../../deps.ts";
import { fail } from "../errors.ts";
import { greatest } from "../greatest.ts";
import { compileModule } from "./compile.ts";
import type { Arithmetic, Device, Plan, Program, Room, Simd } from "./device.ts";
import { type KernelArguments, type KernelName, KERNELS, orderedArguments, type Tensor } from "./kernels.ts";
import { type Live, liveWord } from "./live.ts";
import { isSecondFaster } from "./probe.ts";
import { CONTROL_BYTES, NoThreads, type ScratchSpace, ThreadPool } from "./threads.ts";
import { Yielder } from "./event_loop.ts";
import { allocate, copyNonZero, MAX_PAGES, mebibytes, PAGE } from "./wasm_memory.ts";
import { type StartWorker, workerStarter } from "./workers.ts";

/** Bytes of it that are left for the module's own data and for programs. */
const PROGRAMS = 2 ** 24;

/** The exports of the module besides the kernels. */
interface Exports extends Record<string, unknown> {
  /** Runs `count` calls encoded from address `program` on; `scratch` is the base of scratch tensors. */
  run(program: number, count: number, scratch: number): void;
  /** First address behind the module's own constants. */
  arenaStart(): number;
  /** Whether products take the larger tiles. */
  setWide(on: number): void;
  /** Whether multiply-add is two operations (0), fused (1), or could be but is not (2). */
  multiplyAdd(): number;
}

/** A task as the module reads it: kernel numbers and arguments, one 4-byte word each. */
interface Encoded {
  /** Whether it needs scratch space. */
  readonly scratch: boolean;
  readonly words: Uint32Array<ArrayBuffer>;
  readonly calls: number;
}

/** A stage in memory: its tasks, and the list of them that workers read. */
interface Placed {
  readonly tasks: readonly { readonly address: number; readonly calls: number }[];
  readonly list: number;
}

const NUMBERS = new Map(Object.keys(KERNELS).map((name, i) => [name, i]));

/** Instantiates modules. */
type Loader = Awaited<ReturnType<typeof loadLoader>>;

/** What the probe said: whether this process runs the larger tiles faster. */
let wideIsFaster: boolean | undefined;

/** Kernels in WebAssembly with 128-bit SIMD, on the CPU. */
export class WasmDevice implements Device {
  readonly name = "wasm";
  readonly room: Room = { elements: (MAX_PAGES * PAGE - PROGRAMS) / 4, of: "WebAssembly has" };
  readonly wholeBatch = false;
  readonly stepsAhead = 1;
  readonly #instantiateSync: Loader["instantiateSync"];
  readonly #simd: Simd;
  readonly #startWorker: StartWorker | undefined;
  #wide: boolean;
  #threads: number;
  #withoutThreads: string | undefined;
  #memory!: WebAssembly.Memory;
  #exports!: Exports;
  #bytes!: Uint8Array;
  #pool: ThreadPool | undefined;
  #control = 0;
  #base = 0;
  #pages = 0;
  #plan: Plan | undefined;
  #scratch: ScratchSpace = { first: 0, size: 0, threads: 1 };
  #disposed = false;
  #addresses = new Map<Program, Placed[]>();
  #encoded = new WeakMap<Plan, Encoded[][][]>();
  /** Milliseconds that programs took on threads when they ran last. */
  readonly #times = new WeakMap<Program, number>();
  readonly #yielder = new Yielder();

  /**
   * @param threads Threads for programs that are worth several.
   * @param given The module, if it is compiled already.
   */
  static async open(threads: number, simd: Simd = "auto", given?: WebAssembly.Module): Promise<WasmDevice> {
    const [{ instantiateSync }, module, startWorker] = await Promise.all([
      loadLoader(),
      given ?? compileModule(simd),
      threads > 1 ? workerStarter() : undefined,
    ]);
    return new WasmDevice(threads, simd, module, instantiateSync, startWorker);
  }

  private constructor(
    threads: number,
    simd: Simd,
    readonly module: WebAssembly.Module,
    instantiateSync: Loader["instantiateSync"],
    startWorker: StartWorker | undefined,
  ) {
    this.#instantiateSync = instantiateSync;
    this.#simd = simd;
    this.#wide = simd === "wide";
    this.#threads = threads;
    this.#startWorker = startWorker;
    this.#instantiate(1);
  }

  get description(): string {
    const threads = this.#threads === 1 ? "1 thread" : `up to ${this.#threads} threads`;
    const simd = this.#wide
      ? "relaxed SIMD in wide tiles"
      : this.arithmetic === "plain"
      ? "plain SIMD"
      : "relaxed SIMD";
    return `WebAssembly, ${simd}, ${threads}${this.#withoutThreads ? `: ${this.#withoutThreads}` : ""}`;
  }

  get withoutThreads(): string | undefined {
    return this.#withoutThreads;
  }

  get arithmetic(): Arithmetic {
    return (["plain", "relaxed", "unfused"] as const)[this.#exports.multiplyAdd()]!;
  }

  #instantiate(pages: number) {
    // Fixed size: views would be lost when memory grows, so a larger plan gets a new memory (see load).
    const memory = allocate(pages);
    this.#exports = this.#instantiateSync<Exports>(this.module, { env: { memory } }).exports as Exports;
    this.#pool?.dispose();
    this.#pool = undefined;
    this.#memory = memory;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#exports.setWide(Number(this.#wide));
    this.#control = align(this.#exports.arenaStart());
    this.#base = align(this.#control + CONTROL_BYTES);
    this.#pages = pages;
  }

  load(plan: Plan, keep: number): void {
    if (plan === this.#plan) return;
    let encoded = this.#encoded.get(plan);
    if (!encoded) {
      encoded = plan.programs.map((program) => program.map((stage) => stage.map((task) => this.#encode(task))));
      this.#encoded.set(plan, encoded);
    }
    const tasks = encoded.flat(2);
    const first = align(this.#base + 4 * plan.arena), size = align(4 * plan.scratch);
    const records = tasks.reduce((sum, { words }) => sum + words.byteLength + 8, 0);
    // Threads beyond the tasks that need scratch space would find nothing to do with it.
    const tasksAtOnce = greatest(encoded.flat().map((stage) => stage.filter((task) => task.scratch).length), 1);
    const most = plan.parallel ? Math.min(this.#threads, tasksAtOnce) : 1;
    const room = Math.floor((MAX_PAGES * PAGE - first - records) / Math.max(1, size));
    const threads = Math.max(1, Math.min(most, room)), programs = first + size * threads;
    const pages = Math.ceil((programs + records) / PAGE);
    if (pages > MAX_PAGES) {
      throw fail(
        "out-of-memory",
        "place the model in memory",
        `it needs ${mebibytes(programs + records)} MiB, WebAssembly has 4096`,
      );
    }
    if (pages > this.#pages) {
      // A new memory ends the threads, and copies what is kept: the next larger batch shall find room.
      const old = this.#bytes.subarray(this.#base, this.#base + 4 * keep);
      const grows = pages > LARGE_PAGES || this.#plan !== undefined && this.#plan.programs.length > 0;
      this.#instantiate(grows ? Math.min(MAX_PAGES, Math.ceil(HEADROOM * pages)) : pages);
      copyNonZero(old, this.#bytes.subarray(this.#base));
    }
    this.#scratch = { first, size, threads };
    this.#addresses = new Map();
    let address = programs, list = programs + records - 8 * tasks.length;
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
    if (plan.parallel && this.#simd === "auto" && this.arithmetic !== "plain") this.#chooseTiles();
  }

  /**
   * Measures which tiles are faster in this process, in some 20 milliseconds: whether the engine packs 128-bit operations into
   * 256-bit ones depends on flags that cannot be read.
   */
  #chooseTiles() {
    if (wideIsFaster === undefined) {
      const M = 160, K = 64, groups = 2, memory = new WebAssembly.Memory({ initial: 8, maximum: 8, shared: true });
      const { arenaStart, linearForward, setWide } = this.#instantiateSync(this.module, { env: { memory } })
        .exports as unknown as Exports & { linearForward(...args: number[]): void };
      const base = align(arenaStart()), y = base + 4 * M * K, x = y + 32 * M * groups;
      const time = (wide: number) => {
        setWide(wide);
        const start = performance.now();
        for (let i = 0; i < 4; i++) linearForward(y, x, base, 0, M, K, groups, 8 * M, 8 * K);
        return performance.now() - start;
      };
      wideIsFaster = isSecondFaster(time);
    }
    this.#wide = wideIsFaster;
    this.#exports.setWide(Number(this.#wide));
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
          throw fail("kernel-call", `call kernel "${call.kernel}"`, `${name} is ${value}`, { name });
        } else if (kind === "dim") {
          const steps = call.live?.[name as keyof Live];
          words.push(steps ? liveWord(value, steps) : value);
        } else {
          real[0] = value;
          words.push(bits[0]!);
        }
      }
    }
    const scratch = task.some((call) =>
      Object.values(call.arguments).some((value) => (value as Tensor | null)?.scratch)
    );
    return { scratch, words: Uint32Array.from(words), calls: task.length };
  }

  #address(tensor: Tensor): number {
    return tensor.scratch ? 4 * tensor.offset + 1 : this.#base + 4 * tensor.offset;
  }

  write(tensor: Tensor, data: Float32Array | Int32Array | Uint32Array): void {
    this.check();
    if (data.length > tensor.length) {
      throw fail("shape-mismatch", "write tensor", `it holds ${tensor.length} numbers, got ${data.length}`);
    }
    this.#bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), this.#address(tensor));
  }

  /** Refuses to be used when it is disposed. */
  check(): void {
    if (this.#disposed) throw fail("disposed", "use model", "it was disposed");
  }

  /** Runs one call at once; its tensors are in the loaded plan. */
  call<Name extends KernelName>(kernel: Name, args: KernelArguments<Name>): void {
    const values = args as Readonly<Record<string, Tensor | number | null>>;
    (this.#exports[kernel] as (...args: number[]) => void)(
      ...orderedArguments(kernel).map(({ name, kind }) => {
        const value = values[name] ?? null;
        return kind !== "tensor" ? value as number : value === null ? 0 : this.#address(value as Tensor);
      }),
    );
  }

  /** Another device on one thread, with the same module. */
  again(): WasmDevice {
    return new WasmDevice(1, this.#simd, this.module, this.#instantiateSync, undefined);
  }

  run(program: Program): void | Promise<void> {
    this.check();
    const stages = this.#addresses.get(program);
    if (!stages) throw fail("program-unknown", "run program", "it is not part of the loaded plan");
    if (this.#scratch.threads > 1) return this.#runOnThreads(program, stages);
    return this.#runHere(stages);
  }

  async #runOnThreads(program: Program, stages: Placed[]): Promise<void> {
    try {
      const helps = (this.#times.get(program) ?? Infinity) < HELPS_BELOW;
      if (helps) {
        await this.#yielder.yieldIfDue();
        this.check();
      }
      this.#pool ??= new ThreadPool(this.module, this.#memory, this.#control, this.#startWorker);
      const tables = stages.map(({ tasks, list }) => ({ tasks: tasks.length, list }));
      const start = performance.now();
      await this.#pool.run(tables, this.#scratch, this.#wide, helps ? this.#exports.run : undefined);
      this.#times.set(program, performance.now() - start);
      this.check();
    } catch (error) {
      if (!(error instanceof NoThreads)) throw error;
      this.#threads = 1;
      this.#scratch = { ...this.#scratch, threads: 1 };
      this.#withoutThreads = error.message;
      await this.#runHere(stages);
    }
  }

  #runHere(stages: Placed[]): void | Promise<void> {
    const { run } = this.#exports, scratch = this.#scratch.first, start = performance.now();
    for (const [s, { tasks }] of stages.entries()) {
      for (const [t, { address, calls }] of tasks.entries()) {
        run(address, calls, scratch);
        if (tasks.length > 1 && performance.now() - start > LONG) return this.#goOnHere(stages, s, t + 1);
      }
    }
  }

  /** The rest of a long program, from a task on: the event loop gets its turns between tasks, as on threads. */
  async #goOnHere(stages: Placed[], stage: number, task: number): Promise<void> {
    const { run } = this.#exports, scratch = this.#scratch.first;
    for (const { tasks } of stages.slice(stage)) {
      for (const { address, calls } of tasks.slice(task)) {
        await this.#yielder.yieldIfDue();
        this.check();
        run(address, calls, scratch);
      }
      task = 0;
    }
  }

  // deno-lint-ignore require-await -- errors arrive as rejections
  async read(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
    this.check();
    return this.#copy(tensor);
  }

  keep(tensors: readonly Tensor[]): () => Promise<Float32Array<ArrayBuffer>[]> {
    const copies = tensors.map((tensor) => this.#copy(tensor));
    return () => Promise.resolve(copies);
  }

  #copy(tensor: Tensor): Float32Array<ArrayBuffer> {
    const start = this.#address(tensor);
    return new Float32Array(this.#bytes.slice(start, start + 4 * tensor.length).buffer);
  }

  /** The numbers of a tensor of the arena themselves, until another plan is loaded. */
  view(tensor: Tensor): Float32Array {
    return new Float32Array(this.#memory.buffer, this.#address(tensor), tensor.length);
  }

  dispose(): void {
    this.#disposed = true;
    this.#plan = undefined;
    this.#addresses.clear();
    this.#instantiate(1);
  }
}

/** Milliseconds after which a program on one thread goes on task by task. */
const LONG = 100;

/**
 * Milliseconds below which the host helps its threads: the event loop waits so long. Threads that slept are woken on too few
 * cores at first, which may double the time of a short program.
 */
const HELPS_BELOW = 30;

/** What a memory that must grow from plan to plan has to spare, untouched until it is needed: a new one ends the threads. */
const HEADROOM = 1.25;

/** Pages of a model that is large by itself: room for its first plan too, so that it is not there twice. */
const LARGE_PAGES = 1024;

function align(address: number): number {
  return Math.ceil(address / 64) * 64;
}
