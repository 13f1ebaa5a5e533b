package dev.weft.chat;

import dev.weft.RequestException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The two prompt formats of V4; they differ in the efforts only (specification 8.4). A checkpoint's own encoder tells
 * which one it was trained with, see {@link PromptTexts#revision}.
 */
public enum Revision {
    /** First release: no effort and {@code high} write nothing, {@code max} writes {@link PromptText#EFFORT_MAX}. */
    APRIL {
        @Override
        Optional<PromptText> effortText(@Nullable ReasoningEffort effort) {
            if (effort == ReasoningEffort.LOW) {
                throw new RequestException("reasoning_effort: found low, expected none, high or max: low belongs to "
                        + "revision 0731, recognised by the text " + PromptText.EFFORT_BEYOND_MAX.key());
            }
            return effort == ReasoningEffort.MAX ? Optional.of(PromptText.EFFORT_MAX) : Optional.empty();
        }
    },
    /**
     * 31 July: {@code low} (the default) writes nothing, {@code high} what was {@code max} before, {@code max} writes
     * {@link PromptText#EFFORT_BEYOND_MAX}.
     */
    JULY_31 {
        @Override
        Optional<PromptText> effortText(@Nullable ReasoningEffort effort) {
            if (effort == null || effort == ReasoningEffort.LOW) {
                return Optional.empty();
            }
            return Optional.of(effort == ReasoningEffort.HIGH ? PromptText.EFFORT_MAX : PromptText.EFFORT_BEYOND_MAX);
        }
    };

    /** The text right after begin of sentence in thinking mode, if any. @throws RequestException if unknown here */
    abstract Optional<PromptText> effortText(@Nullable ReasoningEffort effort);
}
