/** How each operator becomes launches of our kernels. */
package dev.weft.backend.cuda.kernel;
