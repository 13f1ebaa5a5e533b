/**
 * A synthetic V4 checkpoint as a GGUF file, so that llama.cpp runs the same weights: for comparisons of whole models.
 */
package dev.weft.benchmarks.llama;
