// The arithmetic of training, in AssemblyScript: every kernel of core/device/kernels.ts, nothing else.
// Pointers are byte addresses, sizes are in elements; kernels allocate nothing and return nothing.

export { activeLanes, clear, copyGroups, copyVector, rowsIn, rowsOut, sequencesIn, sequencesOut } from "./copy";
export {
  linearBackwardBias, linearBackwardInput, linearBackwardWeight, linearForward, packBackward, packForward, turnInput,
} from "./linear";
export { embeddingBackward, embeddingForward } from "./embedding";
export { gruBackward, gruForward, gruPackBias } from "./gru";
export { lstmBackward, lstmForward, lstmPackBias } from "./lstm";
export { attentionBackward, attentionForward } from "./attention";
export { dropoutApply, dropoutMask, randomWords } from "./dropout";
export { bceLoss, crossEntropyLoss, mseLoss, sigmoidGroups, softmaxGroups } from "./loss";
export { adam, averageGradients, clipNorm, clipValue, gradientNorm, rmsprop, sgd, sumBlocks, sumSquares } from "./optimizer";
export {
  attentionForwardSingle, gruForwardSingle, linearForwardSingle, lstmForwardSingle, packColumns, packParts,
  probabilitiesSingle,
} from "./single";
export { activation } from "./simd";
export { setWide } from "./product";
