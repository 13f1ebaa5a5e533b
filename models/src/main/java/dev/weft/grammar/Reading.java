package dev.weft.grammar;

import org.jspecify.annotations.Nullable;

/**
 * One way to read the text so far, in a list of all of them.
 *
 * @param state where this way is
 * @param stack where it goes on after the rule of the state
 * @param derived whether another way of the list leads here without reading: by a call, or by the end of a rule
 * @param next the rest of the list
 */
record Reading(
        int state, Stack stack, boolean derived, @Nullable Reading next) {}
