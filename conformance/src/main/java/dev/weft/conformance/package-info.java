/**
 * The operator suite: cases, a runner that needs no test framework ({@link dev.weft.conformance.OpRunner}), and the JUnit
 * base class for backends ({@link dev.weft.conformance.BackendConformance}).
 */
package dev.weft.conformance;
