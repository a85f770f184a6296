/**
 * Memory of the process after many epochs beside that after a tenth of them: training with validation and a checkpoint
 * after every epoch.
 *
 *     deno run --v8-flags=--expose-gc --allow-read --allow-write scripts/memory.ts [EPOCHS [THREADS]]
 *
 * @module
 */

import { createModel, randomSplit, sampleDataset, saveCheckpoint, Training } from "../mod.ts";
import { commandLine } from "./command_line.ts";

const { gc } = globalThis as unknown as { gc?: () => void };

/** Resident memory in MB, after a collection, at a tenth of the epochs and at their end. */
export async function memoryOf(epochs: number, threads = 1): Promise<[number, number]> {
  const folder = await Deno.makeTempDir(), marks: number[] = [];
  const [data, validation] = randomSplit(sampleDataset({ size: 500, steps: 10 }), [0.8, 0.2]);
  using model = await createModel({ inputSize: 5, hiddenSize: 16, outputSize: 2, dropout: 0.3 }, { threads });
  try {
    await new Training(model, data!, {
      epochs,
      validation,
      async onEpoch({ epoch }, training) {
        await saveCheckpoint(`${folder}/last.json`, { model, training });
        if (epoch % (epochs / 10)) return;
        gc?.();
        await new Promise((resolve) => setTimeout(resolve, 50));
        marks.push(Deno.memoryUsage().rss / 1e6);
      },
    }).run();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return [marks[0]!, marks.at(-1)!];
}

if (import.meta.main) {
  const command = "deno run --v8-flags=--expose-gc --allow-read --allow-write scripts/memory.ts";
  const { operands } = commandLine(command, "Memory after many epochs beside that after a tenth of them.", {}, [
    "[EPOCHS]",
    "[THREADS]",
  ]);
  const [epochs = "1000", threads = "1"] = operands;
  const [early, late] = await memoryOf(Number(epochs), Number(threads));
  const share = 100 * (late / early - 1);
  console.log(
    `${early.toFixed(1)} MB after ${Number(epochs) / 10} epochs, ${late.toFixed(1)} MB after ${epochs}: ${
      share.toFixed(1)
    } %`,
  );
}
