/** Labels of single steps, and lists of labels that may be some. */

import { badData } from "./errors.ts";
import type { SequenceRecord } from "./readers/record.ts";

/** The steps of a record as records with labels: all of them, or the first ones. */
export function stepsOf({ stepLabels, steps, place }: SequenceRecord, count = steps): SequenceRecord[] {
  if (!stepLabels) throw badData("record-unlabeled", `${place}: labels of its steps are missing, one for each`);
  return stepLabels.slice(0, count).map((labels, t) => ({
    labels,
    steps: 1,
    channels: 0,
    place: `${place}, row ${t}`,
  }));
}

/**
 * Looks whether lists of labels, taken for several labels of a sequence, may be those of its steps: as many as there are
 * steps in all records.
 *
 * @param lengthOf How many steps, or tokens, a record has.
 * @param isText Whether they are tokens.
 * @returns What is to be said about it where it may be chance; undefined where they cannot be.
 * @throws {TypeError} If they follow the steps from record to record, or are names of which one occurs twice, as several
 * labels of a sequence do not.
 */
export function looksPerStep(
  records: Iterable<SequenceRecord>,
  lengthOf: (record: SequenceRecord) => number,
  isText: boolean,
): string | undefined {
  let follow = true, alike = true, repeated = false, first: number | undefined, longest = 0, place = "";
  for (const record of records) {
    const count = record.labels?.length ?? 0, length = lengthOf(record);
    follow &&= count === length;
    alike &&= count === (first ??= count);
    if (!follow && !alike) return undefined;
    longest = Math.max(longest, length);
    repeated ||= new Set(record.labels).size < count && record.labels!.some((label) => Number.isNaN(Number(label)));
    place ||= record.place;
  }
  const steps = isText ? "tokens" : "steps";
  if (alike && (first! < 2 || first !== longest)) return undefined;
  if (alike && (isText || !repeated)) {
    return `${first} labels a sequence, as many as it has ${steps}: they are taken for labels of the whole` +
      (isText ? "" : ", labelEveryStep for those of its steps");
  }
  if (isText) return "every text has as many labels as tokens: they are taken for labels of the whole text";
  throw badData("labels-unclear", `${place}: there are as many labels as steps, as in all records`, {
    option: "labelEveryStep",
    advice: "labelEveryStep: true if they are those of the steps, false if they are several of the sequence",
  });
}
