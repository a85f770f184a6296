/**
 * A service over HTTP as a function of requests, the same in Deno, Bun and Workers.
 *
 * @module
 */

import { checkArgument, fail } from "../errors.ts";
import { ownOptions, resolveOptions } from "../options.ts";
import { show } from "../data/readers/bad_data.ts";
import type { AnsweredRequest, Answering } from "./answering.ts";
import type { Servable } from "./served_model.ts";
import type { ServiceOptions } from "./service.ts";

export type { AnsweredRequest, Servable };

/** Options of {@linkcode createHandler}. */
export interface HandlerOptions {
  /** What requests must show as `authorization: Bearer TOKEN`, but for those about health. Default: nothing. */
  token?: string;
  /** The origin whose pages may ask, or `*`. Default: none. */
  cors?: string;
  /** Bytes of a body at most, unpacked. Default 1 MiB. */
  maxBody?: number;
  /** Milliseconds in which a body must come. Default 10,000. */
  bodyTimeout?: number;
  /** Streams at a time: with more, the one used the longest ago gives way. Default 1,000. */
  maxStreams?: number;
  /** Steps that all streams together keep for attention, likewise. Default 1,000,000. */
  maxStreamSteps?: number;
  /** Is told of every request. */
  onAnswer?: (answered: AnsweredRequest) => void;
}

/** A service as a function of requests. Made by {@linkcode createHandler}. */
export interface Handler {
  /** Answers a request. Never rejects. */
  (request: Request): Promise<Response>;
  /** Resolves when all models are open; rejects with what is wrong with one. Requests wait for it. */
  readonly opened: Promise<void>;
  /** Requests that are not answered yet. */
  readonly inFlight: number;
  /**
   * Puts another model in place of one, without a request lost; its streams begin anew. Resolves when nobody uses the old
   * one. If the new one cannot be served, or its promise rejects, the old one stays and this rejects too.
   */
  replace(name: string, model: Servable | Promise<Servable>): Promise<void>;
  /** Is no longer ready, and asks clients to close their connections; resolves when nothing is left to answer. */
  drain(): Promise<void>;
  /** Drains, and frees the memory. The models stay. */
  dispose(): Promise<void>;
}

const OPTIONS = {
  token: { type: "text", optional: true, about: "the token" },
  cors: { type: "text", optional: true, about: "the origin" },
  maxBody: { type: "integer", default: 2 ** 20, least: 1, most: 2 ** 32, about: "bytes of a body" },
  bodyTimeout: { type: "integer", default: 10_000, least: 1, most: 2 ** 31 - 1, about: "milliseconds of a body" },
  maxStreams: { type: "integer", default: 1000, least: 1, most: 1e7, about: "streams" },
  maxStreamSteps: { type: "integer", default: 1e6, least: 1, most: 1e12, about: "steps of all streams" },
} as const;

/** What a token is: nothing else comes through a header as it was sent. */
export const TOKEN_WORDS = "printable ASCII characters, no space at its ends";

/** Whether a header can show a token. */
export function isToken(token: string): boolean {
  return /^[!-~]([ -~]*[!-~])?$/.test(token);
}

/**
 * Makes a service of models: a function that answers requests, for `Deno.serve`, `Bun.serve` or the `fetch` of a Worker. It
 * touches no files and no network.
 *
 * @param models What is served, by name: results of `loadCheckpoint`, `parseCheckpoint` or `loadModel`. Paths that name no
 * model are about the first.
 * @throws {TypeError | RangeError} If an option is wrong, or there is no model. What is wrong with a model comes by `opened`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createHandler, createModel } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 2, hiddenSize: 4, outputSize: 2, loss: "crossEntropy" });
 * const handler = createHandler({ moves: { model } }); // Deno.serve(handler)
 * const body = JSON.stringify({ x: [[1, 2], [3, 4]] }), headers = { "content-type": "application/json" };
 * const response = await handler(new Request("http://localhost/predict", { method: "POST", body, headers }));
 * assert.equal(response.status, 200);
 * assert.equal((await response.json()).probabilities.length, 2);
 * await handler.dispose();
 * ```
 */
export function createHandler(models: Readonly<Record<string, Servable>>, options: HandlerOptions = {}): Handler {
  const action = "create handler";
  checkArgument(action, "models", models, []);
  const names = Object.keys(models), { onAnswer, ...rest } = ownOptions(action, options);
  if (!names.length) throw fail("empty", action, "there are no models");
  for (const name of names) {
    checkArgument(action, `models.${name}`, models[name], ["model"]);
    if (!/^[^/]+$/.test(name)) {
      throw fail("argument-out-of-range", action, `a name must be one part of a path, got ${show(name)}`, { name });
    }
  }
  if (onAnswer !== undefined && typeof onAnswer !== "function") {
    throw fail("option-type", action, "onAnswer must be a function", {
      option: "onAnswer",
      expected: "a function",
      value: onAnswer,
    });
  }
  const resolved = resolveOptions<ServiceOptions>(action, OPTIONS, rest);
  if (resolved.token !== undefined && !isToken(resolved.token)) {
    throw fail("option-out-of-range", action, `token must be ${TOKEN_WORDS}`, {
      option: "token",
      expected: TOKEN_WORDS,
    });
  }
  // What answers is loaded when it is needed: nobody else waits for it.
  const given = { ...models };
  let answering: Answering | undefined, waiting = 0;
  const loaded = import("./answering.ts").then((room) => answering = new room.Answering(given, resolved, onAnswer));
  const by = <T>(act: (answering: Answering) => Promise<T>) => answering ? act(answering) : loaded.then(act);
  const opened = loaded.then(({ service }) => service.opened);
  // Whoever waits for it learns of it.
  opened.catch(() => {});
  const answer = (request: Request) => {
    if (answering) return answering.answer(request);
    waiting++;
    return loaded.then((own) => {
      waiting--;
      return own.answer(request);
    });
  };
  return Object.defineProperties(answer, {
    opened: { value: opened },
    inFlight: { get: () => waiting + (answering?.service.inFlight ?? 0) },
    replace: {
      value: (name: string, model: Servable | Promise<Servable>) => by((own) => own.replace(name, model)),
    },
    drain: { value: () => by(({ service }) => service.drain()) },
    dispose: { value: () => by(({ service }) => service.dispose()) },
  }) as unknown as Handler;
}
