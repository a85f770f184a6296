/**
 * A service over HTTP as a function of requests, the same in Deno, Bun and Workers.
 *
 * @module
 */

import { checkArgument, fail } from "../errors.ts";
import { ownOptions, resolveOptions } from "../options.ts";
import { show } from "../data/readers/bad_data.ts";
import { Problem, problemOf } from "./problem.ts";
import { type Match, Router } from "./router.ts";
import { type Call, reply, type Route, ROUTES } from "./routes.ts";
import type { Servable, ServedModel } from "./served_model.ts";
import { Service, type ServiceOptions } from "./service.ts";

export type { Servable };

/** A request that was answered, for a log: no bodies, no query. */
export interface AnsweredRequest {
  /** When it came, as ISO 8601. */
  readonly time: string;
  /** Its method. */
  readonly method: string;
  /** Its path. */
  readonly path: string;
  /** The status of its answer. */
  readonly status: number;
  /** Milliseconds from the request to its answer. */
  readonly ms: number;
  /** The model that predicted, if one did. */
  readonly model?: string;
  /** How many sequences or samples it predicted. */
  readonly sequences?: number;
  /** What was wrong with it, or what failed here: that is not told to who asked. */
  readonly error?: string;
}

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
   * one. If the new one cannot be served, the old one stays and the promise rejects.
   */
  replace(name: string, model: Servable): Promise<void>;
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
  if (resolved.token === "") {
    throw fail("option-out-of-range", action, "token must not be empty", {
      option: "token",
      expected: "not empty",
      value: "",
    });
  }
  const service = new Service(models, resolved), answering = new Answering(service, onAnswer);
  return Object.defineProperties((request: Request) => answering.answer(request), {
    opened: { value: service.opened },
    inFlight: { get: () => service.inFlight },
    replace: { value: (name: string, model: Servable) => answering.replace(name, model) },
    drain: { value: () => service.drain() },
    dispose: { value: () => service.dispose() },
  }) as unknown as Handler;
}

/** Characters of a path in a log. */
const LOGGED = 300;

/** What came of a request, while it is answered. */
interface Progress {
  readonly method: string;
  readonly path: string;
  readonly since: number;
  route: string;
  /** The model that stays as long. */
  held?: ServedModel;
  model?: string;
  sequences?: number;
  error?: string;
}

/** Routes that need more than a request: the documents about the service itself. */
type Documents = Readonly<Record<"page" | "openapi", string | undefined>>;

/** Answers requests: who may, what they ask, what is told of them. */
class Answering {
  readonly #service: Service;
  readonly #onAnswer: HandlerOptions["onAnswer"];
  readonly #token: Uint8Array | undefined;
  readonly #routes: readonly Route[];
  readonly #router: Router;
  readonly #clock = new Clock();
  /** Made when they are first asked for, of the models that there are then. */
  #documents: Documents = { page: undefined, openapi: undefined };

  constructor(service: Service, onAnswer: HandlerOptions["onAnswer"]) {
    const { token } = service.options;
    this.#service = service;
    this.#onAnswer = onAnswer;
    this.#token = token === undefined ? undefined : new TextEncoder().encode(`Bearer ${token}`);
    const document = (path: string, about: string, act: Route["act"]): Route => ({ method: "GET", path, about, act });
    this.#routes = [
      document("/", "A page that predicts what is typed there.", (call) => this.#page(call)),
      document("/openapi.json", "This list as OpenAPI.", () => this.#openApi()),
      ...ROUTES,
    ];
    this.#router = new Router(this.#routes);
  }

  async replace(name: string, model: Servable): Promise<void> {
    const replaced = this.#service.replace(name, model);
    this.#documents = { page: undefined, openapi: undefined };
    await replaced;
    this.#documents = { page: undefined, openapi: undefined };
  }

  async answer(request: Request): Promise<Response> {
    checkArgument("answer request", "request", request, ["method", "url", "headers"]);
    checkArgument("answer request", "request.url", request.url, "string");
    const service = this.#service, since = performance.now(), { method, url } = request;
    const slash = url.indexOf("/", url.indexOf("//") + 2), end = url.indexOf("?", slash);
    const path = end < 0 ? url.slice(slash) : url.slice(slash, end);
    const progress: Progress = { method, path, since, route: "other" };
    service.begin();
    let response: Response;
    try {
      response = await this.#found(request, end < 0 ? undefined : url.slice(end), progress);
    } catch (error) {
      response = this.#refusal(error, progress);
    }
    progress.held?.release();
    if (method === "HEAD") response = new Response(null, response);
    this.#finish(request, response);
    service.end();
    this.#tell(progress, response.status, performance.now() - since);
    return response;
  }

  #found(request: Request, search: string | undefined, progress: Progress): Response | Promise<Response> {
    const service = this.#service, { cors } = service.options;
    if (request.method === "OPTIONS" && cors !== undefined) return this.#preflight();
    // Who may not ask learns nothing of what there is.
    let match: Match | Problem;
    try {
      match = this.#router.find(request.method, progress.path);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      match = error;
    }
    if (this.#token && (match instanceof Problem || !match.route.isOpen)) this.#authorize(request);
    if (match instanceof Problem) throw match;
    const { route, path } = match;
    progress.route = route.path;
    const call: Call = {
      request,
      service,
      path,
      query: search === undefined ? undefined : new URLSearchParams(search),
      since: progress.since,
      holds: (model) => progress.held = model.hold(),
      predicted: ({ name }: ServedModel, count: number) => {
        progress.model = name;
        progress.sequences = count;
        service.metrics.sequences(name, count);
      },
    };
    return route.isOpen || service.isOpen ? route.act(call) : service.opened.then(() => route.act(call));
  }

  /** Refuses who does not show the token. How long that takes says nothing of the token. */
  #authorize(request: Request): void {
    const token = this.#token!,
      given = new TextEncoder().encode(
        // The scheme may be in any case: RFC 9110, section 11.1.
        (request.headers.get("authorization") ?? "").replace(/^bearer /i, "Bearer "),
      );
    let difference = given.length ^ token.length;
    for (let i = 0; i < given.length; i++) difference |= given[i]! ^ token[i % token.length]!;
    if (difference === 0) return;
    throw new Problem(401, "the token is missing or wrong: authorization: Bearer TOKEN", {
      headers: { "www-authenticate": "Bearer" },
    });
  }

  #preflight(): Response {
    return new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-methods": "GET, HEAD, POST, DELETE",
        "access-control-allow-headers":
          "authorization, content-type, content-encoding, inference-header-content-length",
        "access-control-max-age": "600",
      },
    });
  }

  /** What is said of an error; what is wrong here is told to the log alone. */
  #refusal(error: unknown, progress: Progress): Response {
    const problem = problemOf(error);
    if (!problem) {
      const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
      progress.error = `${name}: ${message}`;
      return reply(JSON.stringify({ error: "the service failed: its log says why" }), 500);
    }
    const { status, message, field, code, headers } = problem;
    progress.error = message;
    const response = reply(JSON.stringify({ error: message, field, code }), status);
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  }

  #finish(request: Request, response: Response): void {
    const { cors } = this.#service.options;
    if (cors !== undefined) {
      response.headers.set("access-control-allow-origin", cors);
      response.headers.set("access-control-expose-headers", "grutto-notes, inference-header-content-length");
      if (cors !== "*") response.headers.set("vary", "origin");
    }
    if (this.#service.isDraining && request.headers.get("connection") !== "close") {
      response.headers.set("connection", "close");
    }
  }

  #tell({ method, path, route, error, model, sequences }: Progress, status: number, elapsed: number): void {
    this.#service.metrics.request(route, METHODS.has(method) ? method : "other", status, elapsed / 1000);
    if (!this.#onAnswer) return;
    const answered: { -readonly [Key in keyof AnsweredRequest]: AnsweredRequest[Key] } = {
      time: this.#clock.iso(Date.now() - elapsed),
      method: shortened(method),
      path: shortened(path),
      status,
      ms: Math.round(elapsed * 1000) / 1000,
    };
    if (model !== undefined) {
      answered.model = model;
      answered.sequences = sequences;
    }
    if (error !== undefined) answered.error = error;
    this.#onAnswer(answered);
  }

  async #page({ service, holds }: Call): Promise<Response> {
    const { pageOf } = await import("./page.ts");
    const page = this.#documents.page ?? await pageOf(holds(service.model()), this.#routes);
    this.#documents = { ...this.#documents, page };
    return new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
  }

  async #openApi(): Promise<Response> {
    const { openApi } = await import("./openapi.ts");
    const openapi = this.#documents.openapi ?? JSON.stringify(openApi(this.#routes, this.#service));
    this.#documents = { ...this.#documents, openapi };
    return reply(openapi);
  }
}

/** Methods that are counted under their names: there may be any others. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]);

/** Writes times: those of a second begin alike. */
class Clock {
  #second = NaN;
  #start = "";

  /** A time in milliseconds as ISO 8601. */
  iso(time: number): string {
    const second = Math.floor(time / 1000);
    if (second !== this.#second) {
      this.#second = second;
      // Without "000Z".
      this.#start = new Date(second * 1000).toISOString().slice(0, -4);
    }
    const rest = Math.floor(time) - second * 1000;
    return `${this.#start}${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}Z`;
  }
}

function shortened(text: string): string {
  return text.length > LOGGED ? `${text.slice(0, LOGGED)}…` : text;
}
