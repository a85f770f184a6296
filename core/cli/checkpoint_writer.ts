import { greatest } from "../greatest.ts";
import { encodeSnapshot, type Snapshot, takeSnapshot } from "../train/checkpoint/snapshot.ts";
import { FileLock, removeLeftovers, writeDurably } from "../train/durable.ts";
import type { EpochReport } from "../train/history.ts";
import type { Training } from "../train/training.ts";
import { UsageError } from "../job/options.ts";
import type { StoredJob } from "../job/stored_job.ts";
import { checkpointTarget, folderOf, mayWrite, reason, type Target } from "./files.ts";
import type { Arguments } from "./options.ts";
import { remark, type Terminal } from "./terminal.ts";

/** How often the last checkpoint is written at most, where nothing is said: milliseconds. */
const PAUSE = 1000;

/** When checkpoints are written: every so many epochs or minutes, or after every epoch but with pauses. */
type Every = { readonly epochs: number } | { readonly minutes: number } | undefined;

/**
 * What a training leaves on disk: its last and best checkpoint, numbered ones if wanted, and a line of log per epoch. What
 * cannot be written is said before anything is trained; where writing fails later, that is said once, and training continues.
 *
 * The best checkpoint is written before the last: a killed training resumes from the last, and by then the best of
 * what went before must be there. Other runs' checkpoints are not replaced but numbered: `last.1.json`.
 */
export class CheckpointWriter implements Disposable {
  /** Where checkpoints go; none without --checkpoint or permission. */
  readonly target?: Target;
  /** The checkpoints that are there, as they should be. */
  readonly kept = new Set<string>();
  /** Epochs that the last checkpoint has behind it, once it is written. */
  keptEpoch: number | undefined;
  readonly #job: StoredJob;
  readonly #preprocessing?: { toJSON(): object };
  #log?: Log;
  readonly #terminal: Terminal;
  /** What cannot be written at present: whether it is a checkpoint or a log, by its path. */
  readonly #failed = new Map<string, string>();
  readonly #every: Every;
  /** Which of several trainings it is. */
  readonly #run?: string;
  /** How many numbered checkpoints are kept. */
  readonly #keep: number;
  #lock: FileLock | undefined;
  /** Whether the files there are this run's, or those of the run it resumes. */
  #owns = false;
  /** What is to be written. */
  #best: Snapshot | undefined;
  #last: Snapshot | undefined;
  #written = -Infinity;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Use {@linkcode CheckpointWriter.open}. */
  private constructor(
    args: Arguments,
    job: StoredJob,
    terminal: Terminal,
    target?: Target,
    preprocessing?: { toJSON(): object },
  ) {
    this.target = target;
    this.#job = job;
    this.#terminal = terminal;
    this.#preprocessing = preprocessing;
    this.#every = parseEvery(args.checkpointEvery);
    this.#run = args.run?.name;
    this.#keep = args.keep ?? 0;
  }

  /** Makes sure that everything can be written, and that nobody else writes there. */
  static async open(
    args: Arguments,
    job: StoredJob,
    terminal: Terminal,
    preprocessing?: { toJSON(): object },
  ): Promise<CheckpointWriter> {
    parseEvery(args.checkpointEvery);
    const opened = await openTarget(args);
    const writer = new CheckpointWriter(args, job, terminal, opened?.target, preprocessing);
    writer.#lock = opened?.lock;
    try {
      writer.#log = await openLog(args);
    } catch (error) {
      writer[Symbol.dispose]();
      throw error;
    }
    if (!opened) return writer;
    const { target } = opened;
    writer.#owns = args.resume !== undefined && await same(args.resume, target.last);
    // A resumed training need not find a better epoch.
    if (writer.#owns && await stat(target.best)) writer.kept.add(target.best);
    return writer;
  }

  /** Writes the last checkpoint as often as --checkpoint-every says, within epochs too where it says minutes. */
  watch(training: Training): void {
    if (!this.target || !this.#every || !("minutes" in this.#every)) return;
    const save = () => training.atUpdate(async () => void await this.save(this.target!.last, training));
    this.#timer = setInterval(save, this.#every.minutes * 60_000);
  }

  /** Whether best and last are there as they should be, if they are wanted. */
  get complete(): boolean {
    return !this.target || ![this.target.best, this.target.last].some((path) => this.#failed.has(path));
  }

  /**
   * Writes the results of an epoch.
   *
   * @param hasAccuracy Whether the log is to hold accuracies.
   */
  async epoch(report: EpochReport, training: Training, hasAccuracy: boolean): Promise<void> {
    if (this.target) await this.#epoch(report, training);
    const { trainAccuracy: _train, validationAccuracy: _test, ...rest } = report;
    const logged = hasAccuracy ? report : rest;
    const line = new TextEncoder().encode(
      `${JSON.stringify({ ...this.#run && { run: this.#run }, seed: this.#job.seed, ...logged })}\n`,
    );
    if (this.#log) await this.#attempt("log", this.#log.path, () => this.#log!.file.write(line));
  }

  async #epoch({ epoch }: EpochReport, training: Training): Promise<void> {
    const every = this.#every, isBest = training.best!.epoch === epoch;
    const due = training.finished || every === undefined || "epochs" in every && epoch % every.epochs === 0;
    if (!due && !isBest) return;
    const snapshot = await this.#snapshot(training);
    if (isBest) this.#best = snapshot;
    if (due) this.#last = snapshot;
    const pauses = every === undefined && !training.finished && performance.now() - this.#written < PAUSE;
    if (due && !pauses) await this.flush();
  }

  /** Writes a checkpoint of the training as it is now. Returns whether it could. */
  async save(path: string, training: Training): Promise<boolean> {
    this.#last = await this.#snapshot(training);
    await this.flush();
    return this.kept.has(path);
  }

  /** Writes what waits to be written. */
  async flush(): Promise<void> {
    const { target } = this, best = this.#best, last = this.#last;
    if (!target || !last) return;
    this.#written = performance.now();
    // An epoch that is the best so far is both, and is put into words once.
    if (best && best !== last) await this.#write(best, [target.best]);
    await this.#write(last, best === last ? [target.best, target.last] : [target.last]);
    if (this.kept.has(target.best)) this.#best = undefined;
    if (!this.kept.has(target.last)) return;
    this.#last = undefined;
    this.keptEpoch = last.generator.epoch;
  }

  async #snapshot(training: Training): Promise<Snapshot> {
    const preprocessing = this.#preprocessing?.toJSON() as Record<string, unknown> | undefined;
    return await takeSnapshot({ model: training.model, training, preprocessing, job: { ...this.#job } });
  }

  /** Writes a snapshot to some paths; as the last one, and if that is wanted, under its number too. */
  async #write(snapshot: Snapshot, paths: string[]): Promise<void> {
    const { target } = this, numbered = target!.step(snapshot.generator.step);
    for (const path of paths) this.kept.delete(path);
    try {
      await encodeSnapshot(snapshot, async (bytes) => {
        for (const path of paths) {
          if (await this.#attempt("checkpoint", path, () => this.#put(path, bytes))) this.kept.add(path);
        }
        if (!this.#keep || !paths.includes(target!.last) || !this.kept.has(target!.last)) return;
        await this.#attempt("checkpoint", numbered, async () => {
          await this.#put(numbered, bytes);
          for (const path of (await this.#steps()).slice(this.#keep)) await Deno.remove(path);
        });
      });
    } catch (error) {
      await this.#fail("checkpoint", paths.at(-1)!, error);
    }
  }

  async #put(path: string, bytes: Uint8Array): Promise<void> {
    try {
      await this.#own();
      await writeDurably(path, bytes);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      await this.#restoreFolder();
      await writeDurably(path, bytes);
    }
  }

  /** Makes the folder again if somebody has removed it. */
  async #restoreFolder(): Promise<void> {
    const folder = folderOf(this.target!.last);
    try {
      await Deno.mkdir(folder);
    } catch (error) {
      // Somebody was faster; what is there now, writing will tell.
      if (error instanceof Deno.errors.AlreadyExists) return;
      throw error;
    }
    this.#owns = true;
    this.kept.clear();
    this.#say(`note: the folder "${folder}" was gone; it was made again`);
    this.#lock?.[Symbol.dispose]();
    const lock = await FileLock.take(lockOf(this.target!)).catch(() => undefined);
    this.#lock = lock instanceof FileLock ? lock : undefined;
  }

  /** Moves another run's checkpoints out of the way of this run's: each under the next free number. */
  async #own(): Promise<void> {
    if (this.#owns) return;
    const { last, best } = this.target!, old = [last, best, ...await this.#steps()];
    const found = (await Promise.all(old.map(stat))).flatMap((info, i) => info ? [old[i]!] : []);
    if (found.length) {
      const number = greatest((await this.#others()).map(({ run }) => run ?? 0), 0);
      const numbered = (path: string, n: number) => path.replace(/json$/, `${n}.json`);
      const twins = await Promise.all(found.map((path) => same(path, numbered(path, number))));
      if (!twins.every(Boolean)) {
        for (const path of found) await writeDurably(numbered(path, number + 1), await Deno.readTextFile(path));
        const names = found.map((path) => `"${numbered(path, number + 1)}"`);
        this.#say(`note: the checkpoints of an earlier run are kept as ${names.join(", ")}`);
      }
      for (const path of found) if (path !== last) await Deno.remove(path);
    }
    this.#owns = true;
  }

  /** The checkpoints in the folder besides best and last: numbered ones, and those of earlier runs. */
  async #others(): Promise<{ path: string; step?: number; run?: number }[]> {
    const { target } = this, folder = folderOf(target!.last), found = [];
    for await (const { name } of Deno.readDir(folder)) {
      const match = target!.match(name);
      if (match?.step !== undefined || match?.run !== undefined) found.push({ path: `${folder}/${name}`, ...match });
    }
    return found;
  }

  /** The numbered checkpoints of this run, the newest first. */
  async #steps(): Promise<string[]> {
    const steps = (await this.#others()).flatMap(({ run, step }) => run === undefined ? [step!] : []);
    return steps.sort((a, b) => b - a).map((step) => this.target!.step(step));
  }

  async #attempt(what: string, path: string, write: () => Promise<unknown>): Promise<boolean> {
    try {
      await write();
      this.#failed.delete(path);
      return true;
    } catch (error) {
      await this.#fail(what, path, error);
      return false;
    }
  }

  /** Says what cannot be written, until it can be again. */
  async #fail(what: string, path: string, error: unknown): Promise<void> {
    const isKnown = [...this.#failed.values()].includes(what);
    if (!isKnown) this.#say(`warning: cannot write ${what} "${path}": ${await reason(error, path)}`);
    this.#failed.set(path, what);
  }

  #say(text: string): void {
    this.#terminal.clear();
    remark(text);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#log?.file.close();
    this.#lock?.[Symbol.dispose]();
  }
}

interface Log {
  readonly path: string;
  readonly file: Deno.FsFile;
}

function stat(path: string): Promise<Deno.FileInfo | undefined> {
  return Deno.stat(path).catch(() => undefined);
}

/** Whether two files are there and hold the same. */
async function same(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((path) => Deno.readTextFile(path).catch(() => undefined)));
  return one !== undefined && one === other;
}

function lockOf({ last }: Target): string {
  return `${last}.lock`;
}

/** When --checkpoint-every wants checkpoints: `10` epochs, `5m` for minutes. */
function parseEvery(text: string | undefined): Every {
  if (text === undefined) return undefined;
  const [, number, unit] = /^(\d+(?:\.\d+)?)(m?)$/.exec(text) ?? [], value = Number(number);
  if (unit === "m" && value > 0 && value <= 10080) return { minutes: value };
  if (unit === "" && value >= 1 && Number.isSafeInteger(value)) return { epochs: value };
  throw new UsageError(`--checkpoint-every must be a number of epochs, or of minutes such as 5m, got "${text}"`);
}

/** The checkpoint's place, if it is wanted and permitted, and the lock on it. */
async function openTarget(args: Arguments): Promise<{ target: Target; lock?: FileLock } | undefined> {
  if (args.checkpoint === undefined) return undefined;
  const target = checkpointTarget(args.checkpoint), folder = folderOf(target.last);
  if (!await mayWrite(folder, ["read", "write"], "checkpoints", args)) return undefined;
  let path = folder, lock: FileLock | string | undefined;
  const cannot = (why: string) => new Error(`cannot write checkpoint "${target.last}": ${why}`);
  try {
    if (target.last !== args.checkpoint && !await stat(folder)) await Deno.mkdir(folder);
    for (path of [target.best, target.last]) {
      if ((await stat(path))?.isDirectory) throw new Deno.errors.IsADirectory();
    }
    // It is written, too: so can the checkpoint be.
    lock = await takeLock(target);
    if (typeof lock !== "string") {
      await removeLeftovers(folder, (name) => target.match(name) !== undefined);
    }
  } catch (error) {
    throw cannot(await reason(error, path));
  }
  if (typeof lock === "string") throw cannot(`another run (${lock}) writes there; give this one another --checkpoint`);
  return { target, lock };
}

/** The lock, or who holds it; undefined where the file system has no locks. */
async function takeLock(target: Target): Promise<FileLock | string | undefined> {
  try {
    return await FileLock.take(lockOf(target));
  } catch (error) {
    if (!["ENOTSUP", "EOPNOTSUPP", "ENOSYS", "ENOLCK"].includes((error as { code?: string }).code ?? "")) throw error;
    remark(`note: "${target.last}" cannot be locked there: let no other run write to it`);
    return undefined;
  }
}

/** The log, if it is wanted and permitted: a resumed training's continues. */
async function openLog(args: Arguments): Promise<Log | undefined> {
  const { logFile: path, resume, run } = args, append = resume !== undefined || run?.isFirst === false;
  if (path === undefined || !await mayWrite(path, ["write"], `the log "${path}"`, args)) return undefined;
  try {
    return { path, file: await Deno.open(path, { create: true, write: true, append, truncate: !append }) };
  } catch (error) {
    throw new Error(`cannot write log "${path}": ${await reason(error, path)}`);
  }
}
