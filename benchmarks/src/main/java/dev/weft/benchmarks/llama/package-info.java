/**
 * Whole models against llama.cpp: a synthetic V4 checkpoint as a GGUF file, so that both run the same weights.
 *
 * <ol>
 *   <li>{@code weft synth CHECKPOINT --set ...}: any V4 with {@code hc_mult} 4, ratios 0, 4 and 128 and FP4 experts.
 *   <li>{@link dev.weft.benchmarks.llama.ExportGguf} writes the GGUF file.
 *   <li>The same model? {@code weft logits --numerics fp32} and {@code src/main/c/llama_logits.c} on the same ids, then
 *       {@link dev.weft.benchmarks.llama.LogitAgreement}.
 *   <li>{@link dev.weft.benchmarks.llama.AgainstLlama} runs {@code llama-bench} and Weft in turns on the same threads:
 *       prefill of 512 tokens in one step, and 64 steps of one token from an empty context.
 * </ol>
 *
 * What differs: Weft quantises activations as the model was trained (FP8 in groups of 128, FP4 in the indexer, FP8
 * cache), llama.cpp as its weight formats demand (Q8_0 in blocks of 32) with an F16 cache. Its attention over compressed
 * entries masks what the indexer did not pick, Weft's reads only what it picked. Between Weft's repetitions the machine's
 * limits are measured, which takes weights out of the caches; llama.cpp's follow each other.
 */
package dev.weft.benchmarks.llama;
