/** What is measured: shapes, data that every contender is fed from, and the exact result. */
package dev.weft.benchmarks.work;
