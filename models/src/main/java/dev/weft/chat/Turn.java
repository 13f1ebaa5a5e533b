package dev.weft.chat;

import java.util.List;

/**
 * A message as it is written: tool results have become part of what the user says (specification 8.5, steps 1 to 3).
 *
 * @param role who speaks; never {@link Role#TOOL}
 * @param message the message, of merged ones the first
 * @param blocks what a user's turn consists of; else empty
 */
record Turn(Role role, Message message, List<Block> blocks) {
    /**
     * A part of a user's turn.
     *
     * @param isToolResult whether a tool says it
     * @param toolCallId the call that it answers
     * @param text what is said
     */
    record Block(boolean isToolResult, String toolCallId, String text) {}
}
