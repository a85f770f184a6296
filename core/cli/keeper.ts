import { saveCheckpoint } from "../train/checkpoint.ts";
import type { EpochReport, Training } from "../train/train.ts";
import { checkpointTarget, folderOf, mayWrite, reason, type Target } from "./files.ts";
import type { Arguments } from "./options.ts";
import type { StoredJob } from "./read_checkpoint.ts";
import { remark, type Terminal } from "./terminal.ts";

/**
 * What a training leaves on disk: its last and best checkpoint, and a line of log per epoch. What cannot be written is
 * said before anything is trained; where writing fails later, that is said once, and training goes on.
 */
export class Keeper implements Disposable {
  /** Where checkpoints go; none without --checkpoint or permission. */
  readonly target?: Target;
  /** The checkpoints that stand there. */
  readonly kept = new Set<string>();
  readonly #job: StoredJob;
  readonly #log?: Log;
  readonly #terminal: Terminal;
  readonly #failed = new Set<string>();

  /** Use {@linkcode Keeper.open}. */
  constructor(job: StoredJob, terminal: Terminal, target?: Target, log?: Log) {
    this.target = target;
    this.#job = job;
    this.#log = log;
    this.#terminal = terminal;
  }

  /** Makes sure that everything can be written. */
  static async open(args: Arguments, job: StoredJob, terminal: Terminal): Promise<Keeper> {
    const target = await openTarget(args), keeper = new Keeper(job, terminal, target, await openLog(args));
    // A training that goes on need not find a better epoch.
    if (target && args.resume !== undefined && await stat(target.best)) keeper.kept.add(target.best);
    return keeper;
  }

  /** Writes what an epoch came to. */
  async epoch(report: EpochReport, training: Training): Promise<void> {
    if (this.target) {
      await this.save(this.target.last, training);
      if (training.best!.epoch === report.epoch) await this.save(this.target.best, training);
    }
    const line = new TextEncoder().encode(`${JSON.stringify({ seed: this.#job.seed, ...report })}\n`);
    if (this.#log) await this.#attempt("log", this.#log.path, () => this.#log!.file.write(line));
  }

  /** Writes a checkpoint. Returns whether it could. */
  async save(path: string, training: Training): Promise<boolean> {
    const parts = { model: training.model, training, job: { ...this.#job } };
    const done = await this.#attempt("checkpoint", path, () => saveCheckpoint(path, parts));
    if (done) this.kept.add(path);
    return done;
  }

  async #attempt(what: string, path: string, write: () => Promise<unknown>): Promise<boolean> {
    try {
      await write();
      this.#failed.delete(path);
      return true;
    } catch (error) {
      if (!this.#failed.has(path)) {
        this.#terminal.clear();
        remark(`warning: cannot write ${what} "${path}": ${await reason(error, path)}`);
      }
      this.#failed.add(path);
      return false;
    }
  }

  [Symbol.dispose](): void {
    this.#log?.file.close();
  }
}

interface Log {
  readonly path: string;
  readonly file: Deno.FsFile;
}

function stat(path: string): Promise<Deno.FileInfo | undefined> {
  return Deno.stat(path).catch(() => undefined);
}

/** The checkpoint's place, if it is wanted and permitted. */
async function openTarget(args: Arguments): Promise<Target | undefined> {
  if (args.checkpoint === undefined) return undefined;
  const target = checkpointTarget(args.checkpoint), folder = folderOf(target.last);
  if (!await mayWrite(folder, ["read", "write"], "checkpoints", args)) return undefined;
  let path = folder;
  try {
    if (target.last !== args.checkpoint && !await stat(folder)) await Deno.mkdir(folder);
    for (path of [target.best, target.last]) {
      if ((await stat(path))?.isDirectory) throw new Deno.errors.IsADirectory();
    }
    await Deno.writeTextFile(`${path}.tmp`, "");
    await Deno.remove(`${path}.tmp`);
  } catch (error) {
    throw new Error(`cannot write checkpoint "${target.last}": ${await reason(error, path)}`);
  }
  return target;
}

/** The log, if it is wanted and permitted: a resumed training's goes on. */
async function openLog(args: Arguments): Promise<Log | undefined> {
  const { logFile: path, resume } = args, append = resume !== undefined;
  if (path === undefined || !await mayWrite(path, ["write"], `the log "${path}"`, args)) return undefined;
  try {
    return { path, file: await Deno.open(path, { create: true, write: true, append, truncate: !append }) };
  } catch (error) {
    throw new Error(`cannot write log "${path}": ${await reason(error, path)}`);
  }
}
