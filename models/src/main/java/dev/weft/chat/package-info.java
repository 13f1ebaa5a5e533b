/**
 * Conversations to prompts and completions back to messages: the wire format of DeepSeek-V4 (specification 8.3 to 8.6).
 *
 * <p>{@link dev.weft.chat.PromptEncoder} writes prompts, {@link dev.weft.chat.CompletionParser} reads complete answers
 * strictly, {@link dev.weft.chat.StreamingCompletionParser} reads them piece by piece and forgives.
 */
package dev.weft.chat;
