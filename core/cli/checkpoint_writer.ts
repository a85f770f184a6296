import { greatest } from "../greatest.ts";
import { isUnreadable } from "../fleet/launcher.ts";
import { type Snapshot, snapshotChunks, withSnapshot } from "../train/checkpoint/snapshot.ts";
import { copyDurably, FileLock, type Holder, removeLeftovers, writeDurably } from "../train/durable.ts";
import { type EpochReport, History, type TrainingState } from "../train/history.ts";
import type { Training } from "../train/training.ts";
import { UsageError } from "../job/options.ts";
import type { StoredJob } from "../job/stored_job.ts";
import { checkpointTarget, folderOf, mayWrite, reason, type Target } from "./files.ts";
import { lineOf, LogFile } from "./log_file.ts";
import type { Arguments } from "./options.ts";
import { bestOf } from "./read_checkpoint.ts";
import { remark, type Terminal } from "./terminal.ts";
import { inputsOf, refuseInput, sameBytes, stat } from "./written_files.ts";

/**
 * How long it is from the end of one write to the next at least, where nothing is said: milliseconds, and how many times as
 * long as checkpoints took, so that they take a tenth of the time at most.
 */
const PAUSE = 1000, REST = 9;

/** What is written of a training, besides how it goes. */
export interface Written {
  readonly job: StoredJob;
  readonly preprocessing?: { toJSON(): object };
  /** Whether the log is to hold accuracies. */
  readonly hasAccuracy: boolean;
  /** Of the checkpoint that is resumed. */
  readonly state?: TrainingState;
  /** Bytes of numbers from which on they are not copied. Default: as `withSnapshot` says. */
  readonly large?: number;
}

/** Earlier runs whose checkpoints are kept, where nothing is said. */
const EARLIER_RUNS = 3;
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
  readonly #written: Written;
  readonly #run: Arguments["run"];
  #log?: LogFile;
  readonly #terminal: Terminal;
  /** What cannot be written at present: whether it is a checkpoint or a log, by its path. */
  readonly #failed = new Map<string, string>();
  readonly #every: Every;
  /** How many numbered checkpoints are kept. */
  readonly #keep: number;
  /** How many earlier runs are. */
  readonly #runs: number;
  #lock: FileLock | undefined;
  /** Whether the files there are this run's, or those of the run it resumes. */
  #owns = false;
  /** What is to be written. */
  #best: Snapshot | undefined;
  #last: Snapshot | undefined;
  /** The checkpoint of the best epoch so far that was resumed from elsewhere, until it is copied. */
  #bestElsewhere: string | undefined;
  /** Whether the best epoch before is not at hand, and the epochs since then. */
  #isBestLost = false;
  #since: History | undefined;
  /** When the last write ended, and how long it took with the snapshots since: milliseconds. */
  #ended = -Infinity;
  #took = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Use {@linkcode CheckpointWriter.open}. */
  private constructor(args: Arguments, written: Written, terminal: Terminal, target?: Target) {
    this.target = target;
    this.#written = written;
    this.#run = args.run;
    this.#terminal = terminal;
    this.#every = parseEvery(args.checkpointEvery);
    this.#keep = args.keep ?? 0;
    // The run that is moved aside now is kept in any case.
    this.#runs = Math.max(1, args.keep ?? EARLIER_RUNS);
  }

  /** Makes sure that everything can be written, over no input, and that nobody else writes there. */
  static async open(args: Arguments, written: Written, terminal: Terminal): Promise<CheckpointWriter> {
    parseEvery(args.checkpointEvery);
    const { job, state, hasAccuracy } = written, inputs = inputsOf(args, job);
    const opened = await openTarget(args, inputs);
    const writer = new CheckpointWriter(args, written, terminal, opened?.target);
    writer.#lock = opened?.lock;
    try {
      const head = { ...args.run && { run: args.run.name }, seed: job.seed };
      const own = opened ? [opened.target.best, opened.target.last] : [];
      writer.#log = await LogFile.open(args, { head, history: state?.history, hasAccuracy }, [...inputs, ...own]);
      if (opened && args.resume !== undefined) await writer.#resume(args.resume, state!);
    } catch (error) {
      writer[Symbol.dispose]();
      throw error;
    }
    return writer;
  }

  /** Finds what is there of the training that is resumed. */
  async #resume(from: string, state: TrainingState): Promise<void> {
    const { best, last } = this.target!;
    this.#owns = await sameBytes(from, last);
    // A resumed training need not find a better epoch.
    if (this.#owns && await stat(best)) this.kept.add(best);
    else if (state.epoch) {
      this.#bestElsewhere = await bestOf(from, state);
      this.#isBestLost = !this.#bestElsewhere;
      if (this.#isBestLost) {
        this.#say(
          `note: no checkpoint of the best epoch is beside "${from}": "${best}" will hold the best from here on`,
        );
      }
    }
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

  /** Writes the results of an epoch: the line of the log first, so that it has all epochs of the checkpoint. */
  async epoch(report: EpochReport, training: Training): Promise<void> {
    const log = this.#log, { job: { seed }, hasAccuracy } = this.#written;
    if (this.#run?.lines) this.#run.lines.push(lineOf({ run: this.#run.name, seed }, report, hasAccuracy));
    if (log) await this.#attempt("log", log.path, () => log.add(report));
    if (this.target) await this.#epoch(report, training);
  }

  async #epoch(report: EpochReport, training: Training): Promise<void> {
    const every = this.#every, { epoch } = report, isBest = this.#isBest(report, training);
    const due = training.finished || every === undefined || "epochs" in every && epoch % every.epochs === 0;
    const rests = every === undefined && !training.finished && this.#rests;
    // An epoch that is not the best is left out where snapshots have taken their share, and more than an instant: a training
    // that fails leaves its last good epoch.
    const least = Math.max(PAUSE, performance.now() - this.#ended);
    if (!isBest && (!due || rests && REST * this.#took > least)) return;
    await this.#take(training, { best: isBest, last: due, now: due && !rests });
  }

  /** Whether an epoch is the best so far. */
  #isBest(report: EpochReport, training: Training): boolean {
    if (!this.#isBestLost) return training.best!.epoch === report.epoch;
    this.#since ??= new History(training.options.monitor);
    this.#since.add(report);
    return this.#since.best!.epoch === report.epoch;
  }

  /** Whether the last write was so short a time ago that training goes on first. */
  get #rests(): boolean {
    return performance.now() - this.#ended < Math.max(PAUSE, REST * this.#took);
  }

  /** Writes a checkpoint as of now. Returns whether it could. */
  async save(path: string, training: Training): Promise<boolean> {
    await this.#take(training, { best: false, last: true, now: true });
    return this.kept.has(path);
  }

  /** Writes what waits to be written. */
  async flush(): Promise<void> {
    const { target } = this, best = this.#best, last = this.#last;
    if (!target || !best && !last) return;
    const start = performance.now();
    if (this.#log) await this.#attempt("log", this.#log.path, () => this.#log!.sync());
    if (this.#bestElsewhere && !best) await this.#copyBest();
    // An epoch that is the best so far is both, and is put into words once.
    if (best && best !== last) await this.#write(best, [target.best]);
    if (last) await this.#write(last, best === last ? [target.best, target.last] : [target.last]);
    if (this.kept.has(target.best)) this.#best = this.#bestElsewhere = undefined;
    if (last && this.kept.has(target.last)) {
      this.#last = undefined;
      this.keptEpoch = last.generator.epoch;
    }
    this.#ended = performance.now();
    this.#took = this.#ended - start;
  }

  /**
   * Takes a snapshot, and writes it now or later. What is too large to be copied is written now in any case, and if that
   * fails not tried again: by then it would be another.
   */
  async #take(training: Training, { best, last, now }: Record<"best" | "last" | "now", boolean>): Promise<void> {
    const { preprocessing: prepared, job, large } = this.#written, start = performance.now();
    const { model } = training, parts = { model, training, preprocessing: prepared?.toJSON(), job: { ...job } };
    await withSnapshot(parts, async (snapshot, isShown) => {
      this.#took += performance.now() - start;
      if (best) this.#best = snapshot;
      if (last) this.#last = snapshot;
      if (now || isShown) await this.flush();
      if (isShown) this.#best = this.#last = undefined;
    }, large);
  }

  /** The best epoch before the training was resumed from another folder. */
  async #copyBest(): Promise<void> {
    const { best } = this.target!, from = this.#bestElsewhere!;
    if (await this.#attempt("checkpoint", best, () => this.#put(best, (to) => copyDurably(from, to)))) {
      this.kept.add(best);
    }
  }

  /** Writes a snapshot to some paths; as the last one, and if that is wanted, under its number too. */
  async #write(snapshot: Snapshot, paths: string[]): Promise<void> {
    const { target } = this, numbered = target!.step(snapshot.generator.step);
    for (const path of paths) this.kept.delete(path);
    let whole: string | undefined;
    const encode = (to: string) => writeDurably(to, snapshotChunks(snapshot));
    const write = async (path: string) => {
      await this.#put(path, (to) => whole ? copyDurably(whole, to).catch(() => encode(to)) : encode(to));
      whole = path;
    };
    for (const path of paths) {
      if (await this.#attempt("checkpoint", path, () => write(path))) this.kept.add(path);
    }
    if (!this.#keep || !paths.includes(target!.last) || !this.kept.has(target!.last)) return;
    await this.#attempt("checkpoint", numbered, async () => {
      await write(numbered);
      for (const path of (await this.#steps()).slice(this.#keep)) await Deno.remove(path);
    });
  }

  async #put(path: string, write: (path: string) => Promise<void>): Promise<void> {
    try {
      await this.#own();
      await write(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      await this.#restoreFolder();
      await write(path);
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
      const twins = await Promise.all(found.map((path) => sameBytes(path, numbered(path, number))));
      if (!twins.every(Boolean)) {
        for (const path of found) await copyDurably(path, numbered(path, number + 1));
        const names = found.map((path) => `"${numbered(path, number + 1)}"`);
        const removed = await this.#removeRuns(number + 1 - this.#runs);
        const gone = removed ? `; of earlier runs the last ${this.#runs} are kept (--keep)` : "";
        this.#say(`note: the checkpoints of an earlier run are kept as ${names.join(", ")}${gone}`);
      }
      for (const path of found) if (path !== last) await Deno.remove(path);
    }
    this.#owns = true;
  }

  /** Removes the checkpoints of earlier runs up to a number. Returns whether there were some. */
  async #removeRuns(last: number): Promise<boolean> {
    const old = (await this.#others()).filter(({ run }) => run !== undefined && run <= last);
    for (const { path } of old) await Deno.remove(path);
    return old.length > 0;
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
    this.#log?.[Symbol.dispose]();
    this.#lock?.[Symbol.dispose]();
  }
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
async function openTarget(
  args: Arguments,
  inputs: readonly string[],
): Promise<{ target: Target; lock?: FileLock } | undefined> {
  if (args.checkpoint === undefined) return undefined;
  const target = checkpointTarget(args.checkpoint), folder = folderOf(target.last);
  if (!await mayWrite(folder, ["read", "write"], "checkpoints", args)) return undefined;
  // What is resumed is replaced by what comes of it.
  for (const path of [target.best, target.last]) {
    await refuseInput("--checkpoint", path, inputs.filter((input) => input !== args.resume));
  }
  let path = folder, lock: FileLock | Holder | undefined;
  const cannot = (why: string) => new Error(`cannot write checkpoint "${target.last}": ${why}`);
  try {
    if (target.last !== args.checkpoint && !await stat(folder)) await Deno.mkdir(folder);
    for (path of [target.best, target.last]) {
      const there = await stat(path);
      if (there?.isDirectory) throw new Deno.errors.IsADirectory();
      // Whoever reads it, to keep it, may wait for ever.
      if (there && !there.isFile) throw new Error(`"${path}" is a pipe or a device`);
    }
    // It is written, too: so can the checkpoint be.
    lock = await takeLock(target);
    if (!lock || lock instanceof FileLock) await removeLeftovers(folder, (name) => target.match(name) !== undefined);
  } catch (error) {
    throw cannot(await reason(error, path));
  }
  if (!lock || lock instanceof FileLock) return { target, lock };
  const together = "; if mpirun or srun started both, --allow-env --allow-ffi lets them train together";
  const advice = `give this one another --checkpoint${lock.isSibling && isUnreadable() ? together : ""}`;
  throw cannot(`another run (${lock.words}) writes there; ${advice}`);
}

/** The lock, or who has it; undefined where the file system has no locks. */
async function takeLock(target: Target): Promise<FileLock | Holder | undefined> {
  try {
    return await FileLock.take(lockOf(target));
  } catch (error) {
    if (!["ENOTSUP", "EOPNOTSUPP", "ENOSYS", "ENOLCK"].includes((error as { code?: string }).code ?? "")) throw error;
    remark(`note: "${target.last}" cannot be locked there: let no other run write to it`);
    return undefined;
  }
}
