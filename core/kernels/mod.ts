// The arithmetic of training, in AssemblyScript: every kernel of core/device/kernels.ts, nothing else.
// Pointers are byte addresses, sizes are in elements; kernels allocate nothing and return nothing.

export {
  activeLanes, classesIn, clear, copyGroups, copyVector, maskLanes, measureSteps, rowsIn, rowsOut, sequencesIn, sequencesOut,
} from "./copy";
export {
  linearBackwardBias, linearBackwardInput, linearBackwardWeight, linearForward, packBackward, packForward, transposeInput,
} from "./linear";
export { embeddingBackward, embeddingForward } from "./embedding";
export { gruBackward, gruForward, gruPackBias } from "./gru";
export { lstmBackward, lstmForward, lstmPackBias } from "./lstm";
export { attentionAsk, attentionAskBackward, attentionBackward, attentionForward } from "./attention";
export { alignmentOut, gatherRows, nextTokens, replaceLanes, scatterRows } from "./feed";
export { dropoutAccumulate, dropoutApply, dropoutMask, randomWords } from "./dropout";
export { elementwiseBackward, elementwiseForward } from "./elementwise";
export { layerNormBackward, layerNormForward } from "./layer_norm";
export { poolBackward, poolForward } from "./pool";
export { bceLoss, binaryFocalLoss, sigmoidGroups } from "./loss";
export { crossEntropyLoss, crossEntropySmoothLoss, focalLoss, softmaxGroups } from "./loss_classes";
export { huberLoss, maeLoss, mseLoss, quantileLoss } from "./loss_numbers";
export { adam, averageGradients, clipNorm, clipValue, gradientNorm, rmsprop, sgd, sumBlocks, sumSquares } from "./optimizer";
export {
  attentionForwardSingle, elementwiseSingle, gruForwardSingle, layerNormSingle, linearForwardSingle, lstmForwardSingle,
  packColumns, packParts, poolSingle, probabilitiesSingle,
} from "./single";
export { activation, multiplyAdd } from "./simd";
export { setWide } from "./product";
