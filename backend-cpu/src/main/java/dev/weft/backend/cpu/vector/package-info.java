/**
 * Kernels in the Vector API, on row-major weights. The classes need the incubating module {@code jdk.incubator.vector}
 * and may be loaded only after a check that it is there.
 *
 * <p>Results depend on neither the number of rows nor the number of threads nor the state of the JIT compiler: no lanewise
 * reduction of the API is used, since the order of its sums is open.
 */
package dev.weft.backend.cpu.vector;
