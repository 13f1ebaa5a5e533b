/** JMH benchmarks of this library, and measurements paired with other libraries and the machine's limits. */
package dev.weft.benchmarks;
