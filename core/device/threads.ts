/**
 * Runs the tasks of a program on several threads, over one shared memory.
 *
 * Workers start from a Blob, the only way that needs no permission, locally and by URL. Between programs they sleep, and
 * end by themselves after a while without work, so that they do not keep a program alive; they are started again when
 * needed. Which thread does which task is left to chance: tasks do not depend on one another, and what they add up stands
 * in places of their own, so the result is the same bits for any number of threads.
 *
 * @module
 */

/** One stage for the workers: how many tasks, and where their list begins: pairs of address and count of calls. */
export interface StageTable {
  readonly tasks: number;
  readonly list: number;
}

/** Words of the control block: see `Cell`. */
export const CONTROL_BYTES = 512;

/** Stages that a program may have. */
const MAX_STAGES = 16;

/** Threads that a device may have. */
export const MAX_THREADS = 32;

/** What a worker is told when it starts. */
interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Word index of the control block. */
  readonly control: number;
  readonly slot: number;
  /** Address of this worker's scratch space is first + slot·size, both read from the control block. */
}

/**
 * What a worker runs. It becomes the text of a Blob: it must not refer to anything outside itself.
 *
 * Cells of the control block, in words: 0 generation, 1 open (a program is being worked on), 2 workers inside, 3 stages of
 * the program, 4 programs finished, 5 first scratch address, 6 scratch size, 7 stop,
 * 8 wide tiles; from 16 on, for each stage: tasks,
 * list, claimed, done; from 80 on the slots that have a worker.
 */
function workerMain(): void {
  const scope = globalThis as unknown as {
    onmessage: ((event: { data: WorkerStart }) => void) | null;
    close(): void;
  };
  scope.onmessage = ({ data: { module, memory, control, slot } }) => {
    const cells = new Int32Array(memory.buffer, 4 * control, 128), words = new Int32Array(memory.buffer);
    const { run, setWide } = new WebAssembly.Instance(module, { env: { memory } }).exports as {
      run(program: number, count: number, scratch: number): void;
      setWide(on: number): void;
    };
    // Spinning costs less than sleeping for the short waits between stages and steps; the count is about 0.1 ms.
    const SPINS = 20_000, IDLE = 500;
    const await_ = (cell: number, value: number, timeout: number) => {
      for (let i = 0; i < SPINS; i++) if (Atomics.load(cells, cell) !== value) return true;
      return Atomics.wait(cells, cell, value, timeout) !== "timed-out";
    };
    const work = () => {
      setWide(cells[8]!);
      const scratch = cells[5]! + slot * cells[6]!;
      for (let stage = 0; stage < cells[3]!; stage++) {
        const base = 16 + 4 * stage, tasks = cells[base]!, list = cells[base + 1]! >> 2;
        for (let i = Atomics.add(cells, base + 2, 1); i < tasks; i = Atomics.add(cells, base + 2, 1)) {
          run(words[list + 2 * i]!, words[list + 2 * i + 1]!, scratch);
          if (Atomics.add(cells, base + 3, 1) + 1 === tasks) Atomics.notify(cells, base + 3);
        }
        for (let done = Atomics.load(cells, base + 3); done < tasks; done = Atomics.load(cells, base + 3)) {
          await_(base + 3, done, 1);
        }
      }
      // The first to come here closes the program, so that nobody enters it any more.
      if (Atomics.compareExchange(cells, 1, 1, 0) === 1) {
        Atomics.add(cells, 4, 1);
        Atomics.notify(cells, 4);
      }
    };
    for (let seen = 0;;) {
      const generation = Atomics.load(cells, 0);
      if (generation !== seen) {
        seen = generation;
        Atomics.add(cells, 2, 1);
        if (Atomics.load(cells, 1) === 1) work();
        Atomics.sub(cells, 2, 1);
      }
      if (Atomics.load(cells, 7) === 1) break;
      if (await_(0, seen, IDLE)) continue;
      // Leave, unless a program has come in the meantime and nobody else took the slot.
      Atomics.store(cells, 80 + slot, 0);
      if (Atomics.load(cells, 0) === seen || Atomics.compareExchange(cells, 80 + slot, 0, 1) !== 0) break;
    }
    scope.close();
  };
}

/** Threads are not to be had here: the reason. */
export class NoThreads extends Error {}

/** Threads that share a memory. Made anew when the memory is. */
export class ThreadPool {
  readonly #start: Omit<WorkerStart, "slot">;
  readonly #cells: Int32Array;
  readonly #threads: number;
  readonly #workers: (Worker | undefined)[] = [];
  #url: string | undefined;
  #fail: ((error: Error) => void) | undefined;

  /** @param control Address of CONTROL_BYTES zeros in the memory. */
  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, control: number, threads: number) {
    this.#start = { module, memory, control: control / 4 };
    this.#cells = new Int32Array(memory.buffer, control, CONTROL_BYTES / 4);
    this.#threads = threads;
  }

  /**
   * Runs a program's stages on all threads.
   *
   * @returns A promise for when all is done.
   * @throws {NoThreads} If there are no workers, or they cannot be given shared memory.
   */
  async run(
    stages: readonly StageTable[],
    { first, size, wide }: { first: number; size: number; wide: boolean },
  ): Promise<void> {
    if (typeof Worker === "undefined") throw new NoThreads("there are no workers here");
    if (stages.length > MAX_STAGES) throw new RangeError(`Cannot run ${stages.length} stages, at most ${MAX_STAGES}`);
    const cells = this.#cells;
    // Those that are still on their way out of the program before.
    while (Atomics.load(cells, 2) > 0) await new Promise((resolve) => setTimeout(resolve, 0));
    cells[3] = stages.length;
    cells[5] = first;
    cells[6] = size;
    cells[8] = Number(wide);
    stages.forEach(({ tasks, list }, i) => cells.set([tasks, list, 0, 0], 16 + 4 * i));
    const finished = Atomics.load(cells, 4);
    Atomics.store(cells, 1, 1);
    Atomics.add(cells, 0, 1);
    Atomics.notify(cells, 0);
    this.#startWorkers();
    const wait = Atomics.waitAsync(cells, 4, finished);
    if (!wait.async) return;
    await new Promise<void>((resolve, reject) => {
      this.#fail = reject;
      wait.value.then(() => resolve());
    });
  }

  #startWorkers() {
    for (let slot = 0; slot < this.#threads; slot++) {
      if (Atomics.compareExchange(this.#cells, 80 + slot, 0, 1) !== 0) continue;
      this.#url ??= URL.createObjectURL(new Blob([`(${workerMain})()`], { type: "text/javascript" }));
      const worker = new Worker(this.#url, { type: "module" });
      worker.onerror = (event) => {
        event.preventDefault();
        this.#fail?.(new Error(`Cannot run program: a worker failed: ${event.message}`));
      };
      try {
        worker.postMessage({ ...this.#start, slot } satisfies WorkerStart);
      } catch {
        // A page without cross-origin isolation. Nobody has entered the program: it can be run elsewhere.
        worker.terminate();
        Atomics.store(this.#cells, 1, 0);
        throw new NoThreads("shared memory cannot be handed to workers here");
      }
      this.#workers[slot] = worker;
    }
  }

  /** Ends the workers. Nothing may be running. */
  dispose(): void {
    Atomics.store(this.#cells, 7, 1);
    Atomics.add(this.#cells, 0, 1);
    Atomics.notify(this.#cells, 0);
    for (const worker of this.#workers) worker?.terminate();
    this.#fail?.(new TypeError("Cannot use model: it was disposed"));
    if (this.#url) URL.revokeObjectURL(this.#url);
  }
}
