/**
 * Constrained decoding: texts of a given form, JSON above all, whatever the model's weights are.
 *
 * <p>A {@link dev.weft.grammar.Grammar} is a set of rules over bytes. A rule is a deterministic automaton whose edges read
 * bytes or call another rule, so the whole is a pushdown automaton. {@link dev.weft.grammar.CompiledGrammar} joins it with
 * a vocabulary: for every state it finds, in one walk through the tree of all tokens and only when first needed, which
 * tokens stay within the rule, and at which places of the tree tokens leave it. The first do not depend on the stack and
 * are kept as bits; the second are looked up in the states that the stack names, and kept as well.
 */
@org.jspecify.annotations.NullMarked
package dev.weft.grammar;
