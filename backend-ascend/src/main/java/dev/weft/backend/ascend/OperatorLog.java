package dev.weft.backend.ascend;

/**
 * The last operators launched on a stream since it was last waited for. A failure of asynchronous work is seen only
 * when somebody waits; this says between which operators to look.
 */
final class OperatorLog {
    private static final int KEPT = 4;

    private final String[] last = new String[KEPT];
    private long count;

    void add(String operator) {
        last[(int) (count++ % KEPT)] = operator;
    }

    void clear() {
        count = 0;
    }

    /** " after N operators, the last ones a, b, c", empty if there were none. */
    String describe() {
        if (count == 0) {
            return "";
        }
        StringBuilder names = new StringBuilder();
        for (long i = Math.max(0, count - KEPT); i < count; i++) {
            names.append(names.isEmpty() ? "" : ", ").append(last[(int) (i % KEPT)]);
        }
        return " after " + count + (count == 1 ? " operator: " : " operators, the last ones: ") + names;
    }
}
