/**
 * The CUDA driver behind the device interface: finding it, one thread and one primary context per device, streams that
 * collect work and hand it over at once, kernel images, graphs, and what error codes mean.
 */
package dev.weft.backend.cuda;
