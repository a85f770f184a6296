import { fail } from "../errors.ts";
import type { NetworkModel } from "../model/model.ts";
import { createTrainer, type Trainer } from "./trainer.ts";
import { TRAINER_OPTIONS } from "./trainer_options.ts";

/** The trainer that was given, or a new one with these options. */
export function trainerFor(
  model: NetworkModel,
  trainer: Trainer | undefined,
  options: Readonly<Record<string, unknown>>,
): Trainer {
  const option = Object.keys(options).find((name) => options[name] !== undefined);
  if (trainer && option !== undefined) throw beside(option);
  const found = trainer ?? createTrainer(model, options);
  if (found.model !== model) throw fail("trainer-mismatch", "train", "the trainer belongs to another model");
  return found;
}

/** Why an option cannot stand beside a trainer that is made already. */
function beside(option: string): TypeError {
  const isKnown = option === "optimizer" || option === "losses" || Object.hasOwn(TRAINER_OPTIONS, option);
  if (!isKnown) return fail("option-unknown", "train", `unknown option "${option}"`, { option });
  return fail("option-conflict", "train", `a trainer was given, so ${option} must be set when it is made`, { option });
}
