/** How each operator becomes calls of the vendor's operator functions. */
package dev.weft.backend.ascend.kernel;
