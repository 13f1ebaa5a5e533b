/**
 * The border to Arrow and DLPack. {@link dev.weft.arrow.ArrowTable} writes and reads tables of results.
 */
@NullMarked
package dev.weft.arrow;

import org.jspecify.annotations.NullMarked;
