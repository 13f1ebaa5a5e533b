package dev.weft.grammar;

import dev.weft.RequestException;

/**
 * How JSON is written where its grammar leaves a choice.
 *
 * @param maxDepth how deep free values and recursive references may nest
 * @param spaces whether one space, or a new line and spaces or tabs, may stand between the tokens of JSON; else nothing may
 */
public record JsonOptions(int maxDepth, boolean spaces) {
    private static final int DEEPEST = 256;

    /** @throws RequestException if the depth is not 1 to 256 */
    public JsonOptions {
        if (maxDepth < 1 || maxDepth > DEEPEST) {
            throw new RequestException("json: found maxDepth " + maxDepth + ", expected 1 to " + DEEPEST);
        }
    }

    /** Depth 32, with spaces. */
    public static JsonOptions defaults() {
        return new JsonOptions(32, true);
    }

    /** These options with another depth. */
    public JsonOptions withMaxDepth(int changed) {
        return new JsonOptions(changed, spaces);
    }

    /** These options with or without spaces. */
    public JsonOptions withSpaces(boolean changed) {
        return new JsonOptions(maxDepth, changed);
    }
}
