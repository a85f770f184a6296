/** Finds the route of a request. */

import { Problem } from "./problem.ts";
import type { Route } from "./routes.ts";

/** A route with what stands in its parameters. */
export interface Match {
  readonly route: Route;
  readonly path: Readonly<Record<string, string>>;
}

const NO_PARAMETERS: Match["path"] = {};

/** Finds routes by method and path. */
export class Router {
  /** Those without parameters, by path. */
  readonly #plain = new Map<string, Route[]>();
  readonly #patterns: { readonly pattern: RegExp; readonly names: readonly string[]; readonly route: Route }[] = [];
  readonly #paths: readonly string[];

  constructor(routes: readonly Route[]) {
    this.#paths = [...new Set(routes.map(({ path }) => path))];
    for (const route of routes) {
      const names = Array.from(route.path.matchAll(/\{(\w+)\}/g), ([, name]) => name!);
      if (!names.length) this.#plain.set(route.path, [...this.#plain.get(route.path) ?? [], route]);
      else {
        const pattern = route.path.split(/\{\w+\}/).map((part) => part.replaceAll(/\W/g, "\\$&")).join("([^/]+?)");
        this.#patterns.push({ pattern: new RegExp(`^${pattern}$`), names, route });
      }
    }
  }

  /**
   * The route of a request.
   *
   * @throws {Problem} 404 with the paths there are, 405 with the methods.
   */
  find(method: string, path: string): Match {
    const own = method === "HEAD" ? "GET" : method, plain = this.#plain.get(path);
    const route = plain?.find((route) => route.method === own);
    if (route) return { route, path: NO_PARAMETERS };
    const methods = new Set<string>(plain?.map(({ method }) => method));
    for (const { pattern, names, route } of plain ? [] : this.#patterns) {
      const values = pattern.exec(path);
      if (!values) continue;
      if (route.method === own) {
        return { route, path: Object.fromEntries(names.map((name, i) => [name, decoded(values[i + 1]!)])) };
      }
      methods.add(route.method);
    }
    if (!methods.size) throw new Problem(404, `there is no such path: there is ${this.#paths.join(", ")}`);
    const allow = [...methods, ...methods.has("GET") ? ["HEAD"] : []].join(", ");
    throw new Problem(405, `the method must be ${allow}`, { headers: { allow } });
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Problem(400, "the path is not UTF-8 in percent signs");
  }
}
