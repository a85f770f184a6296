/** Numbers about a service, as Prometheus reads them. */

import { VERSION } from "../version.ts";

/** Seconds that bound the buckets of durations. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** The requests of one route: how many by method and status, and their durations. */
interface Requests {
  readonly counts: Map<string, Map<number, number>>;
  readonly buckets: number[];
  sum: number;
}

/** Numbers that are as they are now. */
export interface Gauges {
  readonly inFlight: number;
  readonly streams: number;
  readonly ready: boolean;
}

/** Counts requests. */
export class ServiceMetrics {
  /** By route. */
  readonly #requests = new Map<string, Requests>();
  readonly #sequences = new Map<string, number>();
  readonly #reloads = new Map<string, number>();

  /** @param route The route's path, not the request's: of those there are any number. */
  request(route: string, method: string, status: number, seconds: number): void {
    let requests = this.#requests.get(route);
    if (!requests) {
      requests = { counts: new Map(), buckets: new Array<number>(BOUNDS.length + 1).fill(0), sum: 0 };
      this.#requests.set(route, requests);
    }
    let counts = requests.counts.get(method);
    if (!counts) requests.counts.set(method, counts = new Map());
    counts.set(status, (counts.get(status) ?? 0) + 1);
    let bucket = 0;
    while (bucket < BOUNDS.length && seconds > BOUNDS[bucket]!) bucket++;
    requests.buckets[bucket]!++;
    requests.sum += seconds;
  }

  sequences(model: string, count: number): void {
    this.#sequences.set(model, (this.#sequences.get(model) ?? 0) + count);
  }

  reload(model: string, worked: boolean): void {
    const labels = `model=${quoted(model)},result="${worked ? "loaded" : "failed"}"`;
    this.#reloads.set(labels, (this.#reloads.get(labels) ?? 0) + 1);
  }

  /** All of it, in Prometheus' text format. */
  text({ inFlight, streams, ready }: Gauges): string {
    const lines: string[] = [];
    const family = (name: string, type: string, help: string, samples: Iterable<readonly [string, number]>) => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      for (const [labels, value] of samples) lines.push(`${name}${labels && `{${labels}}`} ${value}`);
    };
    const requests = [...this.#requests].flatMap(([route, { counts }]) =>
      [...counts].flatMap(([method, own]) =>
        [...own].map(([status, count]) =>
          [`route=${quoted(route)},method="${method}",status="${status}"`, count] as const
        )
      )
    );
    family("grutto_requests_total", "counter", "Requests that were answered.", requests);
    const name = "grutto_request_duration_seconds";
    family(name, "histogram", "Time from a request to its answer.", []);
    for (const [route, { buckets, sum }] of this.#requests) {
      let below = 0;
      buckets.forEach((count, i) => {
        below += count;
        lines.push(`${name}_bucket{route=${quoted(route)},le="${BOUNDS[i] ?? "+Inf"}"} ${below}`);
      });
      lines.push(`${name}_sum{route=${quoted(route)}} ${sum}`, `${name}_count{route=${quoted(route)}} ${below}`);
    }
    const byModel = [...this.#sequences].map(([model, count]) => [`model=${quoted(model)}`, count] as const);
    family("grutto_sequences_total", "counter", "Sequences and samples that were predicted.", byModel);
    family("grutto_reloads_total", "counter", "Checkpoints that changed.", this.#reloads);
    family("grutto_requests_in_flight", "gauge", "Requests that are not answered yet.", [["", inFlight]]);
    family("grutto_streams", "gauge", "Streams that are kept.", [["", streams]]);
    family("grutto_ready", "gauge", "Whether the service takes requests.", [["", Number(ready)]]);
    family("grutto_info", "gauge", "The program.", [[`version=${quoted(VERSION)}`, 1]]);
    return `${lines.join("\n")}\n`;
  }
}

/** The value of a label. */
function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
