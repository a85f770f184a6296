/**
 * Training steps from sequences to sequences at three sizes, beside PyTorch writing the same loop in its usual form and with
 * the attention's keys taken out of it, in the same minutes.
 *
 *     deno task bench:seq2seq [--python python3] [--threads 1,2] [--ms 2000] [--rounds 3] [--sizes 1,2,3] [--beam]
 *
 * A step is forward, backward and Adam over a full batch of random tokens: GRU encoder and decoder of one layer. Times are
 * the least of all rounds; on one thread of the processor's time, which other programs change less, else by the clock. The
 * share of the peak is what the step's matrix products come to against the multiply-adds that one thread can do, times
 * threads.
 *
 * @module
 */

import { availableParallelism, loadavg } from "node:os";
import { cpuUsage } from "node:process";
import { fileURLToPath } from "node:url";
import { createModel, createTrainer } from "../../mod.ts";
import { Random } from "../../core/random.ts";
import { commandLine, fail, numberOption } from "../command_line.ts";
import { peakMeter } from "./peak.ts";
import { benchBeam } from "./seq2seq_beam.ts";

/** Sequences, steps on both sides, the embeddings' and the states' width, and the vocabulary. */
interface Size {
  readonly B: number;
  readonly S: number;
  readonly T: number;
  readonly E: number;
  readonly H: number;
  readonly V: number;
}

const SIZES: readonly Size[] = [
  { B: 32, S: 12, T: 12, E: 32, H: 64, V: 40 },
  { B: 64, S: 32, T: 32, E: 128, H: 256, V: 4000 },
  { B: 64, S: 64, T: 64, E: 256, H: 512, V: 4000 },
];

/** Floating-point operations of the products that a step cannot do without: forward, and twice backward. */
export function stepFlops({ B, S, T, E, H, V }: Size): number {
  const encoder = 3 * H * (E + H), keys = H * H, asked = H * H + 2 * S * H, cell = 3 * H * (E + 2 * H);
  return 6 * B * (S * (encoder + keys) + T * (asked + cell + (2 * H + E) * V) + H * H);
}

const COMMAND = {
  python: { type: "string", default: "python3", about: "the Python that has PyTorch; none: Grutto alone" },
  threads: { type: "string", default: `1,${availableParallelism()}`, about: "threads of both sides" },
  sizes: { type: "string", default: "1,2,3", about: "which of the sizes" },
  ms: { type: "string", default: "2000", about: "milliseconds of steps at a time" },
  rounds: { type: "string", default: "3", about: "turns of each side" },
  beam: { type: "boolean", about: "a beam search over 1,000 sources instead" },
} as const;

/** Milliseconds of a step here. */
async function ours({ B, S, T, E, H, V }: Size, threads: number, ms: number): Promise<number> {
  const sizes = { sourceTokens: V, sourceSize: E, targetTokens: V, targetSize: E, hiddenSize: H };
  using model = await createModel({ task: "seq2seq", bidirectional: false, ...sizes }, { threads });
  const random = new Random(1, "data"), trainer = createTrainer(model);
  const draw = (n: number) => Int32Array.from({ length: n }, () => 4 + random.below(V - 4)), targets = draw(B * T);
  const batch = { x: draw(B * S), shape: [B, S, 1], axes: { target: { steps: T } }, inputs: { targets } };
  const { loss } = await trainer.step(batch, targets);
  if (!(Math.abs(loss - Math.log(V)) < 1.5)) fail(`the first loss is ${loss}`);
  await trainer.step(batch, targets);
  const now = () => threads > 1 ? performance.now() : (cpuUsage().user + cpuUsage().system) / 1000;
  const times: number[] = [];
  for (const end = performance.now() + ms; times.length < 3 || performance.now() < end;) {
    const start = now();
    await trainer.step(batch, targets);
    times.push(now() - start);
  }
  return median(times);
}

/** Milliseconds of a step in PyTorch. */
async function theirs(python: string, size: Size, threads: number, keys: boolean, ms: number): Promise<number> {
  const script = fileURLToPath(new URL("./sides/seq2seq_pytorch.py", import.meta.url));
  const { success, stdout, stderr } = await new Deno.Command(python, {
    args: [script, JSON.stringify({ ...size, threads, keys, ms })],
  }).output();
  if (!success) fail(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout)).median;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

if (import.meta.main) {
  const about = "Training steps from sequences to sequences, beside PyTorch.", name = "deno task bench:seq2seq";
  const { values: { python, threads: list, sizes, beam, ...numbers } } = commandLine(name, about, COMMAND);
  const ms = numberOption("ms", numbers.ms, 1), rounds = numberOption("rounds", numbers.rounds, 1);
  const threads = list.split(",").map(Number);
  if (beam) {
    await benchBeam(python, threads, rounds);
    Deno.exit(0);
  }
  const measure = await peakMeter(), peak = { median: (await measure(500)).p90 };
  console.log(`peak of one thread ${peak.median.toFixed(1)} GF/s, load ${loadavg()[0]!.toFixed(1)}`);
  console.log("B S T E H V                 threads  Grutto ms  of peak  PyTorch usual    keys out   ratios");
  for (const size of sizes.split(",").map((n) => SIZES[Number(n) - 1] ?? fail(`there is no size ${n}`, 2))) {
    for (const count of threads) {
      const times: number[][] = [[], [], []];
      for (let round = 0; round < rounds; round++) {
        times[0]!.push(await ours(size, count, ms));
        if (python === "none") continue;
        times[1]!.push(await theirs(python, size, count, false, ms));
        times[2]!.push(await theirs(python, size, count, true, ms));
      }
      const [own, usual, keys] = times.map((of) => Math.min(...of)) as [number, number, number];
      const share = stepFlops(size) / own / 1e6 / peak.median / count;
      console.log(
        `${Object.values(size).join(" ").padEnd(27)} ${count}  ${own.toFixed(2).padStart(12)} ${
          (100 * share).toFixed(0).padStart(6)
        } %  ${usual?.toFixed(1).padStart(13)} ${keys?.toFixed(1).padStart(11)}   ${(usual / own).toFixed(1)}× ${
          (keys / own).toFixed(1)
        }×`,
      );
    }
  }
}
