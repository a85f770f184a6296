/**
 * Answers requests: who may, what they ask, what is told of them. Loaded when a service is made.
 *
 * @module
 */

import { checkArgument } from "../errors.ts";
import { Problem, problemOf } from "./problem.ts";
import { type Match, Router } from "./router.ts";
import { type Call, checkQuery, reply, type Route, ROUTES } from "./routes.ts";
import type { Servable, ServedModel } from "./served_model.ts";
import { Service, type ServiceOptions } from "./service.ts";

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

type OnAnswer = ((answered: AnsweredRequest) => void) | undefined;

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

/** Answers the requests of a service. */
export class Answering {
  readonly service: Service;
  readonly #onAnswer: OnAnswer;
  readonly #token: Uint8Array | undefined;
  readonly #routes: readonly Route[];
  readonly #router: Router;
  readonly #clock = new Clock();
  /** Made when they are first asked for, of the models that there are then. */
  #documents: Documents = { page: undefined, openapi: undefined };

  constructor(
    models: Readonly<Record<string, Servable>>,
    options: ServiceOptions,
    onAnswer: OnAnswer,
  ) {
    const { token } = options;
    this.service = new Service(models, options);
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

  async replace(name: string, model: Servable | Promise<Servable>): Promise<void> {
    const replaced = this.service.replace(name, model);
    this.#documents = { page: undefined, openapi: undefined };
    await replaced;
    this.#documents = { page: undefined, openapi: undefined };
  }

  async answer(request: Request): Promise<Response> {
    // What a server gives is one.
    if (typeof request?.url !== "string" || !request.headers) {
      checkArgument("answer request", "request", request, ["method", "url", "headers"]);
      checkArgument("answer request", "request.url", request.url, "string");
    }
    const service = this.service, since = performance.now(), { method, url } = request;
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
    this.#finish(request, response);
    service.end();
    this.#tell(progress, response.status, performance.now() - since);
    return response;
  }

  #found(request: Request, search: string | undefined, progress: Progress): Response | Promise<Response> {
    const service = this.service, { cors } = service.options;
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
    if (call.query && route.takes) checkQuery(call.query, route);
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
    const { cors } = this.service.options;
    if (cors !== undefined) {
      response.headers.set("access-control-allow-origin", cors);
      response.headers.set("access-control-expose-headers", "grutto-notes, inference-header-content-length");
      if (cors !== "*") response.headers.set("vary", "origin");
    }
    if (this.service.isDraining && request.headers.get("connection") !== "close") {
      response.headers.set("connection", "close");
    }
  }

  #tell({ method, path, route, error, model, sequences }: Progress, status: number, elapsed: number): void {
    this.service.metrics.request(route, METHODS.has(method) ? method : "other", status, elapsed / 1000);
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
    const openapi = this.#documents.openapi ?? JSON.stringify(openApi(this.#routes, this.service));
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
