/**
 * Devices of the host processor. A device has one set of kernels, its variant: native code at an instruction-set level,
 * the Vector API, or the scalar reference. Memory, streams and copies are the same for all.
 */
package dev.weft.backend.cpu;
