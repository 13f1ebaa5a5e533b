/** This library's side of every work, through its public interface. */
package dev.weft.benchmarks.own;
