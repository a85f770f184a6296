/** Scores in words. */

/** Names of scores as they are shown, and which are shares. */
const NAMES: Record<string, string> = {
  loss: "loss",
  accuracy: "accuracy",
  balancedAccuracy: "balanced accuracy",
  macroF1: "macro F1",
  microF1: "micro F1",
  rocAuc: "ROC AUC",
  subsetAccuracy: "all labels right",
  labelAccuracy: "labels right",
  mse: "MSE",
  rmse: "RMSE",
  mae: "MAE",
  r2: "R²",
  tokenAccuracy: "token accuracy",
  exactMatch: "exact match",
  tokenErrorRate: "token error rate",
  characterErrorRate: "character error rate",
  bleu: "BLEU",
  chrf: "chrF",
};

/** Those of quantiles are called as they are. */
export const nameOf = (name: string) => NAMES[name] ?? name;

/** Names of scores that are shares. */
export const SHARES = /accuracy$|^coverage@|match$|ErrorRate$/i;

/** A score as it is shown. */
export function shown(name: string, value: number): string {
  return SHARES.test(name) ? `${(100 * value).toFixed(2)} %` : value.toPrecision(4);
}

/** Scores in a line. */
export function inWords(values: Readonly<Record<string, number>>): string {
  return Object.entries(values).map(([name, value]) => `${nameOf(name)} ${shown(name, value)}`).join(", ");
}
