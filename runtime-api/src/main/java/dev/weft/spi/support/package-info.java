/**
 * What backends of devices with an address space and a driver of their own have in common: one thread per device, pinned
 * staging memory, memory accounting, and the state of being lost.
 */
package dev.weft.spi.support;
