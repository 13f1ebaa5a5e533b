/** Calling C libraries through the foreign function interface: finding them and binding their functions. */
package dev.weft.spi.nativelib;
