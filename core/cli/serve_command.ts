/** `serve CHECKPOINT`: answers over HTTP until it is told to end. */

import { display, displayJson } from "../display.ts";
import { UsageError } from "../job/options.ts";
import { takeLoss } from "../job/loss.ts";
import { createHandler, type Handler, isToken, TOKEN_WORDS } from "../serve/handler.ts";
import type { LoadedCheckpoint } from "../train/checkpoint/load.ts";
import { allowingCommand, servedPath, systemWords } from "./files.ts";
import { lineOf } from "./hints.ts";
import type { Arguments } from "./options.ts";
import { loadAny } from "./read_checkpoint.ts";
import { stdout } from "./stream.ts";
import { INTERRUPTED, remark, TWICE } from "./terminal.ts";

/** Where the token is. */
const TOKEN = "GRUTTO_TOKEN";

/** Milliseconds between looks at the checkpoints, and from no longer being ready until no more connections are taken. */
const LOOK = 1000, GRACE = 1000;

/** Milliseconds that the last answers have to arrive: a connection whose body never comes in full stays open for ever. */
const LINGER = 3000;

/** Milliseconds that a line of the log waits for others, and how many lines wait at most. */
const MOMENT = 20, MOST_LINES = 200;

/** Runs the command. Returns the exit code. */
export async function serveCommand(args: Arguments): Promise<number> {
  const files = servedFiles(args), { host: hostname, maxBody, cors, quiet } = args;
  const { token, isReadable } = await tokenOf();
  const loaded = new Map<string, LoadedCheckpoint>();
  for (const { name, path } of files) loaded.set(name, await load(path, args));
  const { log, flush } = requestLog();
  const handler = createHandler(Object.fromEntries(loaded), {
    token,
    cors,
    maxBody,
    ...!quiet && { onAnswer: log },
  });
  await handler.opened;
  const ended = Promise.withResolvers<number>();
  const signals = { SIGINT: () => stop("SIGINT"), SIGTERM: () => stop("SIGTERM") } as const;
  const server = listen(args, handler);
  let stoppedAt: number | undefined;
  const stop = (signal: keyof typeof signals) => {
    if (stoppedAt !== undefined) {
      if (performance.now() - stoppedAt > TWICE) ended.resolve(INTERRUPTED[signal]);
      return;
    }
    stoppedAt = performance.now();
    remark(`note: ${signal}: no longer ready, ends when all requests are answered; once more to end at once`);
    finish(server, handler).then(() => ended.resolve(0), ended.reject);
  };
  for (const [signal, listener] of Object.entries(signals)) Deno.addSignalListener(signal as Deno.Signal, listener);
  const address = server.addr as Deno.NetAddr, shown = hostname.includes(":") ? `[${hostname}]` : hostname;
  const guard = token !== undefined
    ? `with the token in ${TOKEN}`
    : isReadable
    ? `without a token: ${TOKEN} sets one`
    : `without a token: --allow-env=${TOKEN} reads one`;
  remark(`serving ${[...loaded.keys()].join(", ")} on http://${shown}:${address.port}/, ${guard}`);
  if (token === undefined && !isLocal(hostname)) remark(`warning: everybody who reaches ${display(hostname)} may ask`);
  const watch = files.map(({ name, path }) => new Watched(name, path, { args, handler, loaded, log }));
  for (const one of watch) await one.begin();
  const timer = setInterval(() => watch.forEach((one) => void one.look()), LOOK);
  try {
    return await ended.promise;
  } finally {
    flush();
    clearInterval(timer);
    for (const [signal, listener] of Object.entries(signals)) {
      Deno.removeSignalListener(signal as Deno.Signal, listener);
    }
  }
}

/** Lines of JSON to standard output, those of a moment together: a write for each would take longer than an answer. */
function requestLog(): { readonly log: (entry: object) => void; readonly flush: () => void } {
  const isTerminal = Deno.stdout.isTerminal();
  let lines: string[] = [], timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (lines.length) stdout.news(lines.join("\n"), leftOut);
    lines = [];
  };
  const leftOut = (count: number) =>
    JSON.stringify({ time: new Date().toISOString(), event: "log", error: `${count} lines that nobody read are lost` });
  return {
    flush,
    log(entry) {
      const line = JSON.stringify(entry), count = lines.push(isTerminal ? displayJson(line) : line);
      if (count === MOST_LINES) flush();
      else timer ??= setTimeout(flush, MOMENT);
    },
  };
}

/** What is served, by name. */
function servedFiles({ operands }: Arguments): { readonly name: string; readonly path: string }[] {
  if (!operands.length) throw new UsageError("serve needs a checkpoint, such as: serve checkpoints/best.json");
  const files = operands.map(servedPath), names = files.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new UsageError(`two models go by the name "${twice}": say NAME=CHECKPOINT`);
  return files;
}

/** The token, and whether it may be read. */
async function tokenOf(): Promise<{ token?: string; isReadable: boolean }> {
  const { state } = await Deno.permissions.query({ name: "env", variable: TOKEN });
  if (state !== "granted") return { isReadable: false };
  const token = Deno.env.get(TOKEN);
  if (token === "") throw new UsageError(`${TOKEN} is empty: unset it to serve without a token`);
  if (token !== undefined && !isToken(token)) throw new UsageError(`${TOKEN} must be ${TOKEN_WORDS}`);
  return { token, isReadable: true };
}

async function load(path: string, args: Arguments): Promise<LoadedCheckpoint> {
  const loaded = await loadAny(path, args);
  takeLoss(loaded.model, "serve", args.given.training, path);
  return loaded;
}

function isLocal(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || hostname.startsWith("127.");
}

/** Listens, with the system's errors in words. */
function listen(args: Arguments, handler: Handler): Deno.HttpServer {
  const { host: hostname, port } = args;
  try {
    return Deno.serve({ hostname, port, onListen() {} }, handler);
  } catch (error) {
    const why = error instanceof Deno.errors.AddrInUse
      ? "the port is taken: --port N takes another, 0 any that is free"
      : error instanceof Deno.errors.AddrNotAvailable
      ? "this machine has no such address: --host ADDRESS says which one"
      : error instanceof Deno.errors.PermissionDenied
      ? "the system does not allow it: ports from 1024 on are everybody's"
      : error instanceof Deno.errors.NotCapable
      ? `no permission; to allow it: ${allowingCommand(args)}`
      : systemWords(error as Error);
    throw new Error(`cannot listen on ${display(hostname)}:${port}: ${why}`);
  }
}

/** Ends a service: who balances the load sees that it is not ready, and what was taken is answered. */
async function finish(server: Deno.HttpServer, handler: Handler): Promise<void> {
  await Promise.all([handler.drain(), delay(GRACE)]);
  const arrived = async () => {
    do {
      await handler.drain();
      await delay(LINGER);
    } while (handler.inFlight);
  };
  await Promise.race([server.shutdown(), arrived()]);
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** What a change of a checkpoint is about. */
interface Context {
  readonly args: Arguments;
  readonly handler: Handler;
  readonly loaded: Map<string, LoadedCheckpoint>;
  readonly log: (entry: object) => void;
}

/** A checkpoint that is served again when it changes. */
class Watched {
  readonly #name: string;
  readonly #path: string;
  readonly #context: Context;
  /** What the file was when it was last loaded, or could not be. */
  #state = "";
  #isBusy = false;

  constructor(name: string, path: string, context: Context) {
    this.#name = name;
    this.#path = path;
    this.#context = context;
  }

  async begin(): Promise<void> {
    this.#state = await this.#now() ?? "";
  }

  /** Size, time and place of the file; undefined where there is none: it may be on its way. */
  async #now(): Promise<string | undefined> {
    try {
      const { mtime, size, ino } = await Deno.stat(this.#path);
      return `${mtime?.getTime()} ${size} ${ino}`;
    } catch {
      return undefined;
    }
  }

  /** Serves the file anew if it has changed; one that cannot be served is said, and the old one stays. */
  async look(): Promise<void> {
    const { args, handler, loaded, log } = this.#context;
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      const state = await this.#now();
      if (state === undefined || state === this.#state) return;
      this.#state = state;
      const about = { time: new Date().toISOString(), event: "reload", model: this.#name };
      let next: LoadedCheckpoint | undefined;
      try {
        await handler.replace(this.#name, load(this.#path, args).then((loaded) => next = loaded));
      } catch (error) {
        next?.model.dispose();
        const line = lineOf(error, "serve");
        log({ ...about, ok: false, error: line });
        remark(`warning: the model before goes on: ${line}`);
        return;
      }
      const before = loaded.get(this.#name);
      loaded.set(this.#name, next!);
      before?.model.dispose();
      log({ ...about, ok: true });
      remark(`note: ${this.#name} is served anew from "${this.#path}"`);
    } finally {
      this.#isBusy = false;
    }
  }
}
