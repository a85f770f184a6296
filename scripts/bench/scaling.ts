/**
 * How the time of a step grows with the work, and what threads bring.
 *
 *     deno task bench:scaling                              prints both
 *     deno task bench:scaling --json FILE --figure FILE    writes all figures, and a figure (SVG)
 *     deno task bench:scaling --rounds 3 --seconds 0.5     rounds, and the length of a turn
 *     deno task bench:scaling --threads 4                  the growth on so many threads (default 1)
 *     deno task bench:scaling --doublings 5                how often B, T and H are doubled
 *     deno task bench:scaling --only growth                or "threads"
 *
 * The batch B, the length T and the width H are doubled in turn from a size a little above S2. Each size is a process
 * of its own; within a round they take turns from the smallest to the largest, each of B, T and H beginning with the
 * common start, and what is compared are times of the same round: measured growth over the growth of the floating-point
 * operations, 1 being proportional. Memory is what the plan says, what the WebAssembly memory really has (the plan, the
 * module's constants and the list of calls, in pages of 64 KiB), and what the process has.
 *
 * On threads, S3 is trained for some steps with 1 to all cores: the parameters must be the same bits. Then they take
 * turns.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { resolveOptimizer } from "../../core/train/optimizer.ts";
import { commandLine, fail, numberOption } from "../command_line.ts";
import { Side, type Times } from "./protocol.ts";
import { CORES, describe, median, type Setting, setting, short, table } from "./report.ts";
import { COLOURS, decades, element, figure, label, logScale } from "./svg.ts";
import { type Size, SIZES, stepFlops, stepPlan } from "./work.ts";

/** A little above S2. */
const START: Size = { B: 32, T: 64, I: 32, H: 64, layers: 1, O: 2 };
/** Growth within this of proportional is what the project asks of itself. */
const LIMIT = 0.15;

type Axis = "B" | "T" | "H";
const AXES: readonly Axis[] = ["B", "T", "H"];

/** One size. */
interface Point {
  readonly size: Size;
  readonly flops: number;
  /** Bytes: of the plan, of the WebAssembly memory, of the process. */
  readonly memory: { readonly planned: number; readonly webAssembly: number; readonly resident: number };
  /** Medians of the rounds, in ms. */
  readonly rounds: number[];
  ms: number;
  /** Time over that of the axis's start, over the same of the operations: median of the rounds. */
  growth: number;
  /** The same over the size before. */
  step: number;
}

interface ThreadsResult {
  readonly digest: string;
  readonly rounds: number[];
  ms: number;
  /** Times as fast as one thread: median of the rounds. */
  speedUp: number;
}

interface ScalingResult extends Setting {
  readonly kind: "grutto-scaling";
  growth: Partial<Record<Axis, Point[]>>;
  threads: Record<string, ThreadsResult>;
  sameBits?: boolean;
}

function start(): Side {
  const script = fileURLToPath(new URL("sides/grutto.ts", import.meta.url));
  return new Side(Deno.execPath(), ["run", "--quiet", "--allow-all", script]);
}

/** Bytes that the plan of a training step asks for. */
function plannedBytes(size: Size, threads: number): number {
  const { plan } = stepPlan(size, resolveOptimizer({}), { parallelFrom: 2 });
  return 4 * (plan.arena + plan.scratch * (plan.parallel ? threads : 1));
}

/** One turn: a step to warm up, then `ms` milliseconds of steps. */
async function turn(side: Side, ms: number): Promise<number> {
  await side.ask({ op: "run", ms: 0, most: 1 });
  return (await side.ask<Times>({ op: "run", ms })).median;
}

async function growth(): Promise<Partial<Record<Axis, Point[]>>> {
  const axes = new Map<Axis, { side: Side; point: Point }[]>();
  for (const axis of AXES) {
    const entries: { side: Side; point: Point }[] = [];
    for (let doubling = 0; doubling <= doublings; doubling++) {
      const size = { ...START, [axis]: START[axis] * 2 ** doubling };
      const first = axes.get("B")?.[0];
      const side = doubling === 0 && first ? first.side : start();
      if (side !== first?.side) {
        await side.ask({ op: "make", size, threads });
        await side.ask({ op: "steps", count: 2 });
      }
      const { webAssembly, resident } = await side.ask<Record<string, number>>({ op: "memory" });
      const memory = { planned: plannedBytes(size, threads), webAssembly: webAssembly!, resident: resident! };
      entries.push({ side, point: { size, flops: stepFlops(size), memory, rounds: [], ms: 0, growth: 1, step: 1 } });
    }
    axes.set(axis, entries);
    console.log(`  ${axis}: ${entries.map(({ point }) => point.size[axis]).join(", ")} ready`);
  }
  for (let round = 0; round < rounds; round++) {
    for (const entries of axes.values()) {
      for (const { side, point } of entries) point.rounds.push(await turn(side, 1000 * seconds));
    }
    console.log(`  round ${round + 1}/${rounds}`);
  }
  const result: Partial<Record<Axis, Point[]>> = {};
  for (const [axis, entries] of axes) {
    const points = result[axis] = entries.map(({ point }) => point), base = points[0]!;
    points.forEach((point, i) => {
      const over = (other: Point) =>
        median(point.rounds.map((ms, round) => ms / other.rounds[round]! / (point.flops / other.flops)));
      point.ms = median(point.rounds);
      point.growth = over(base);
      point.step = i ? over(points[i - 1]!) : 1;
    });
    for (const { side } of entries) side[Symbol.dispose]();
    console.log(`\n${growthTable(axis, points)}`);
  }
  return result;
}

function growthTable(axis: Axis, points: readonly Point[]): string {
  const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const rows = [[axis, "GFLOP", "ms/step", "GF/s", "growth", "last doubling", "plan MiB", "memory MiB", "process MiB"]];
  for (const { size, flops, ms, growth, step, memory } of points) {
    rows.push([
      String(size[axis]),
      short(flops / 1e9),
      short(ms),
      short(flops / ms / 1e6),
      growth.toFixed(3),
      step.toFixed(3),
      mebibytes(memory.planned),
      mebibytes(memory.webAssembly),
      mebibytes(memory.resident),
    ]);
  }
  const grown = points.map((point) => point.growth), least = Math.min(...grown), most = Math.max(...grown);
  const beyond = Math.max(...points.map(({ memory }) => memory.webAssembly - memory.planned));
  const verdict = most > 1 + LIMIT
    ? `NOT within ${100 * LIMIT} % of proportional`
    : least < 1 - LIMIT
    ? `never more than ${100 * LIMIT} % above proportional, and partly quicker than that`
    : `within ${100 * LIMIT} % of proportional`;
  return `${table(rows)}\n${axis}: growth over operations from ${least.toFixed(3)} to ${
    most.toFixed(3)
  }: ${verdict}; ` +
    `memory beyond the plan: at most ${(beyond / 1024).toFixed(0)} KiB`;
}

async function threadsAtS3(): Promise<Pick<ScalingResult, "threads" | "sameBits">> {
  const size = SIZES.S3!, sides: Side[] = [], results: Record<string, ThreadsResult> = {};
  console.log(`\nThreads at S3`);
  for (let n = 1; n <= CORES; n++) {
    const side = start();
    sides.push(side);
    await side.ask({ op: "make", size, threads: n });
    await side.ask({ op: "steps", count: 5 });
    const { digest } = await side.ask<{ digest: string }>({ op: "digest" });
    results[n] = { digest, rounds: [], ms: 0, speedUp: 1 };
  }
  const all = Object.values(results), sameBits = all.every(({ digest }) => digest === all[0]!.digest);
  console.log(
    `  parameters after 5 steps: ${sameBits ? "the same bits" : "NOT THE SAME BITS"} for 1 to ${CORES} threads`,
  );
  for (let round = 0; round < rounds; round++) {
    for (const [i, side] of sides.entries()) all[i]!.rounds.push(await turn(side, 1000 * seconds));
  }
  const rows = [["threads", "ms/step", "least", "most", "× one thread"]];
  all.forEach((result, i) => {
    result.ms = median(result.rounds);
    result.speedUp = median(result.rounds.map((ms, round) => all[0]!.rounds[round]! / ms));
    const { ms, rounds, speedUp } = result;
    rows.push([String(i + 1), short(ms), short(Math.min(...rounds)), short(Math.max(...rounds)), speedUp.toFixed(2)]);
    sides[i]![Symbol.dispose]();
  });
  console.log(table(rows).replace(/^/gm, "  "));
  return { threads: results, sameBits };
}

/** Time over operations, both logarithmic, with the line of proportional growth. */
function scalingFigure({ growth, machine, versions, date }: ScalingResult): string {
  const WIDTH = 680, HEIGHT = 440, LEFT = 64, RIGHT = 24, TOP = 64, BOTTOM = 78;
  const series = [
    { axis: "B", title: "batch B", colour: COLOURS.blue },
    { axis: "T", title: "length T", colour: COLOURS.vermilion },
    { axis: "H", title: "width H", colour: COLOURS.green },
  ] as const;
  const all = Object.values(growth).flat(), starts = Object.values(growth).map((points) => points[0]!);
  const base = { flops: starts[0]!.flops, ms: median(starts.map((point) => point.ms)) };
  const last = Math.max(...all.map((p) => p.flops)), proportional = base.ms * last / base.flops;
  const xs = decades(Math.min(...all.map((p) => p.flops)) / 1e9, Math.max(...all.map((p) => p.flops)) / 1e9);
  const ys = decades(Math.min(...all.map((p) => p.ms)), Math.max(proportional, ...all.map((p) => p.ms)));
  const x = logScale(xs[0]!, xs.at(-1)!, LEFT, WIDTH - RIGHT), y = logScale(ys[0]!, ys.at(-1)!, HEIGHT - BOTTOM, TOP);
  const bottom = HEIGHT - BOTTOM,
    middle = { "text-anchor": "middle" },
    number = (n: number) => String(Number(n.toPrecision(1)));
  const parts = [label(16, 22, "Time of a training step grows as its work", { class: "h" })];
  for (const tick of xs) {
    parts.push(
      element("line", { x1: x(tick), x2: x(tick), y1: TOP, y2: bottom, class: "g" }),
      label(x(tick), bottom + 16, number(tick), { class: "q", ...middle }),
    );
  }
  for (const tick of ys) {
    parts.push(
      element("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick), class: "g" }),
      label(LEFT - 8, y(tick) + 4, number(tick), { class: "q", "text-anchor": "end" }),
    );
  }
  parts.push(element("line", {
    x1: x(base.flops / 1e9),
    y1: y(base.ms),
    x2: x(last / 1e9),
    y2: y(proportional),
    stroke: COLOURS.grey,
    "stroke-dasharray": "5 4",
  }));
  let at = LEFT;
  // The shapes tell the series apart without their colours.
  const marks = {
    B: (cx: number, cy: number, fill: string) => element("circle", { cx, cy, r: 4.5, fill }),
    T: (cx: number, cy: number, fill: string) => element("rect", { x: cx - 4, y: cy - 4, width: 8, height: 8, fill }),
    H: (cx: number, cy: number, fill: string) =>
      element("path", { d: `M${cx.toFixed(1)} ${(cy - 5.5).toFixed(1)}l5 9h-10z`, fill }),
  };
  for (const { axis, title, colour } of series) {
    const points = growth[axis]!, positions = points.map((p): [number, number] => [x(p.flops / 1e9), y(p.ms)]);
    const line = positions.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" ");
    const text = `${title}: ${points[0]!.size[axis]} to ${points.at(-1)!.size[axis]}`;
    parts.push(
      element("polyline", { points: line, fill: "none", stroke: colour, "stroke-width": 1.5 }),
      ...positions.map(([px, py]) => marks[axis](px, py, colour)),
      marks[axis](at + 5, 44, colour),
      label(at + 16, 48, text),
    );
    at += 36 + 6.2 * text.length;
  }
  parts.push(
    element("line", { x1: at, x2: at + 22, y1: 44, y2: 44, stroke: COLOURS.grey, "stroke-dasharray": "5 4" }),
    label(at + 28, 48, "proportional"),
    label((LEFT + WIDTH - RIGHT) / 2, bottom + 36, "GFLOP a step", middle),
    label(18, (TOP + bottom) / 2, "ms a step", { ...middle, transform: `rotate(-90 18 ${(TOP + bottom) / 2})` }),
    label(
      16,
      HEIGHT - 10,
      `${threads} thread${
        threads > 1 ? "s" : ""
      } of ${machine.cpu}; Grutto ${versions.grutto}, Deno ${versions.deno}; ` +
        date.slice(0, 10),
      { class: "q" },
    ),
  );
  return figure(WIDTH, HEIGHT, "Time of a training step over its floating-point operations", parts);
}

const { values } = commandLine("deno task bench:scaling", "How a step's time grows, and what threads bring.", {
  rounds: { type: "string", default: "3", about: "rounds" },
  seconds: { type: "string", default: "0.5", about: "length of a turn" },
  threads: { type: "string", default: "1", about: "the growth on so many threads" },
  doublings: { type: "string", default: "5", about: "how often B, T and H are doubled" },
  only: { type: "string", about: "growth or threads", takes: "NAME" },
  json: { type: "string", about: "all figures into a file", takes: "FILE" },
  figure: { type: "string", about: "a figure (SVG)", takes: "FILE" },
});
const rounds = numberOption("rounds", values.rounds, 1), seconds = numberOption("seconds", values.seconds, 0, false);
const threads = numberOption("threads", values.threads, 1), doublings = numberOption("doublings", values.doublings, 1);
if (values.only !== undefined && values.only !== "growth" && values.only !== "threads") {
  fail(`--only must be growth or threads, got "${values.only}"`, 2);
}
const options = { rounds, seconds, threads, doublings };
const result: ScalingResult = { kind: "grutto-scaling", ...setting(options), growth: {}, threads: {} };
console.log(describe(result));
if (values.only !== "threads") {
  console.log(`\nGrowth from ${JSON.stringify(START)}, ${threads} thread${threads > 1 ? "s" : ""}`);
  result.growth = await growth();
  if (values.figure) {
    await Deno.writeTextFile(values.figure, scalingFigure(result));
    console.log(`\nwritten: ${values.figure}`);
  }
}
if (values.only !== "growth") Object.assign(result, await threadsAtS3());
if (values.json) {
  await Deno.writeTextFile(values.json, JSON.stringify(result, null, 1) + "\n");
  console.log(`\nwritten: ${values.json}`);
}
Deno.exit(result.sameBits === false ? 1 : 0);
