/** Other libraries, bound where they are installed. No class of this package needs any of them to load. */
package dev.weft.benchmarks.peer;
