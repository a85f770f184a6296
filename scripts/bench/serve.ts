/**
 * Requests per second of a service beside a bare `Deno.serve` that says hello, asked in turns by `wrk`.
 *
 *     apt-get install wrk
 *     deno task bench:serve CHECKPOINT --rounds 15 --seconds 2
 *
 * One sequence a request, whose body `--body` is; the sample job's model takes the default. Each round asks hello, the
 * service with its log written to a file, and the service without one (`--quiet`). Printed are the medians of all rounds,
 * and the median of each round's share: what others do on the machine meets all three alike.
 *
 * @module
 */

import { commandLine, fail, numberOption } from "../command_line.ts";
import { describe, median, setting, table } from "./report.ts";

const STEP = "[0.12345,-0.9876,1.2345,0.5,-1.25]";
const { values, operands: [checkpoint] } = commandLine("deno task bench:serve", "A service beside a bare hello.", {
  rounds: { type: "string", default: "9", about: "of all three, in turns" },
  seconds: { type: "string", default: "2", about: "that each is asked in a round" },
  connections: { type: "string", default: "16", about: "of wrk, on one thread" },
  body: { type: "string", default: `{"x":[${Array(10).fill(STEP).join(",")}]}`, about: "of a request", takes: "JSON" },
}, ["CHECKPOINT"]);
const rounds = numberOption("rounds", values.rounds, 1), seconds = numberOption("seconds", values.seconds, 1);

const HELLO =
  'Deno.serve({port:0,hostname:"127.0.0.1",onListen({port}){console.error("http://127.0.0.1:"+port+"/")}},()=>new Response("hello"))';
const MOD = new URL("../../mod.ts", import.meta.url).pathname;
const folder = await Deno.makeTempDir();
const script = `${folder}/post.lua`, log = `${folder}/requests.log`;
await Deno.writeTextFile(
  script,
  `wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\nwrk.body = '${values.body}'\n`,
);

/** A server, and how it is asked. */
interface Side {
  readonly name: string;
  readonly url: string;
  readonly args: readonly string[];
  readonly end: () => Promise<void>;
}

async function start(name: string, command: string, path: string, args: readonly string[]): Promise<Side> {
  const child = new Deno.Command("sh", {
    args: ["-c", `exec ${command}`],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const lines = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!/http:\/\/127\.0\.0\.1:\d+\//.test(said)) {
    const { done, value } = await lines.read();
    if (done) fail(`${name} does not start: ${said}`);
    said += value;
  }
  return {
    name,
    url: /http:\/\/127\.0\.0\.1:\d+/.exec(said)![0] + path,
    args,
    end: () => {
      child.kill("SIGKILL");
      return lines.cancel();
    },
  };
}

/** Requests a second, and the times in milliseconds below which half and 99 of 100 answers came. */
async function ask({ name, url, args }: Side): Promise<{ rate: number; p50: number; p99: number }> {
  const { success, stdout, stderr } = await new Deno.Command("wrk", {
    args: ["-t1", `-c${values.connections}`, `-d${seconds}s`, "--latency", ...args, url],
  }).output().catch(() => fail("there is no wrk: apt-get install wrk"));
  const text = new TextDecoder().decode(stdout);
  if (!success || /Non-2xx|Socket errors/.test(text)) fail(`${name}: ${text}${new TextDecoder().decode(stderr)}`);
  const time = (share: string) => {
    const [, number, unit] = new RegExp(`${share}%\\s+([\\d.]+)(us|ms|s)`).exec(text)!;
    return Number(number) * { us: 1e-3, ms: 1, s: 1e3 }[unit as "us"];
  };
  return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)![1]), p50: time("50"), p99: time("99") };
}

const run =
  `'${Deno.execPath()}' run -q --no-check --allow-net=127.0.0.1 --allow-read '${MOD}' serve '${checkpoint}' --port 0`;
const hello = `'${Deno.execPath()}' eval '${HELLO}'`, post = ["-s", script];
const sides = [
  await start("hello", hello, "/", []),
  await start("serve", `${run} > '${log}'`, "/predict", post),
  await start("serve --quiet", `${run} --quiet`, "/predict", post),
];
console.log(describe(setting({ rounds, seconds, connections: values.connections })));
const found = sides.map(() => [] as Awaited<ReturnType<typeof ask>>[]);
for (const side of sides) await ask(side); // Until all is compiled.
for (let round = 0; round < rounds; round++) {
  for (const [i, side] of sides.entries()) found[i]!.push(await ask(side));
}
for (const side of sides) await side.end();
await Deno.remove(folder, { recursive: true });
const base = found[0]!;
console.log(table([
  ["", "requests/s", "best", "share of hello", "p50, ms", "p99, ms", "p99 beyond hello's"],
  ...sides.map(({ name }, i) => {
    const own = found[i]!, of = (pick: (one: typeof own[0], r: number) => number) => median(own.map(pick));
    return [
      name,
      of(({ rate }) => rate).toFixed(0),
      Math.max(...own.map(({ rate }) => rate)).toFixed(0),
      `${(100 * of(({ rate }, r) => rate / base[r]!.rate)).toFixed(1)} %`,
      of(({ p50 }) => p50).toFixed(2),
      of(({ p99 }) => p99).toFixed(2),
      of(({ p99 }, r) => p99 - base[r]!.p99).toFixed(2),
    ];
  }),
]));
