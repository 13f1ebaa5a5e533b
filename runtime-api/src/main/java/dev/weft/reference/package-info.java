/**
 * The scalar kernel of every operator, written to be read as its specification: plain loops on host memory, one class per
 * family, every rounding visible. Backends are held against these kernels.
 *
 * <p>Sums are formed in F64 and rounded once to F32; where a contract asks for F32 steps the code uses {@code float}.
 * Results are independent of how many rows a call has.
 */
package dev.weft.reference;
