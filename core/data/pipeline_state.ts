/** A pipeline of sequences as JSON. */

import type { LabelState } from "./labels.ts";
import type { NumberInputs } from "./numbers.ts";
import { FORMATS, type Reading } from "./readers/record.ts";
import { distinctTexts, fields, oneOf } from "./state.ts";
import type { VocabularyState } from "./vocabulary.ts";

/** Preprocessing of text, as JSON. */
export interface TokenInputs {
  /** Always "tokens". */
  readonly kind: "tokens";
  /** Tokens and their numbers. */
  readonly vocabulary: VocabularyState;
}

/** A `Pipeline` as JSON. */
export interface PipelineState {
  /** Always "sequences". */
  readonly kind: "sequences";
  /** Of this structure: 1. */
  readonly version: 1;
  /** Preprocessing of the inputs. */
  readonly inputs: NumberInputs | TokenInputs;
  /** Encoding of the labels. */
  readonly labels: LabelState;
  /** Whether labels are of every step; absent where they are not. */
  readonly everyStep?: true;
  /** How the files are written that it was fitted on; absent where nobody said. */
  readonly reading?: Reading;
}

/** How files are written, checked; without what is undefined. */
export function readingState(value: unknown, place: string): Reading {
  const { format, labelColumns, decimal } = fields(value, place, ["format"], ["labelColumns", "decimal"]);
  return {
    format: oneOf(format, `${place}.format`, FORMATS),
    ...labelColumns !== undefined && { labelColumns: distinctTexts(labelColumns, `${place}.labelColumns`, 1) },
    ...decimal !== undefined && { decimal: oneOf(decimal, `${place}.decimal`, [","] as const) },
  };
}
