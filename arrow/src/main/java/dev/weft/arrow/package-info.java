/**
 * The border to Arrow and DLPack. {@link dev.weft.arrow.ArrowTable} writes and reads tables of results;
 * {@link dev.weft.arrow.TensorMemory} is what tensors are shared through, by {@link dev.weft.arrow.ArrowTensors},
 * {@link dev.weft.arrow.CData} and {@link dev.weft.arrow.DLPack}.
 */
package dev.weft.arrow;
