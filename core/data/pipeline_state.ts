/** A pipeline of sequences as JSON. */

import type { LabelState } from "./labels.ts";
import type { NumberInputs } from "./numbers.ts";
import type { Reading } from "./readers/record.ts";
import type { WindowState } from "./recordings.ts";
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
  /** How the files are read that it was fitted on; absent where nobody said. */
  readonly reading?: Reading;
  /** How recordings were cut into windows; absent where they were not. */
  readonly windows?: WindowState;
}
