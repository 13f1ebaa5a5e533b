package dev.weft.cli;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.runtime.Execution;
import java.util.Arrays;
import java.util.Set;

/** Copies the intermediate values of a traced prefill to an output file, under the names of their graph outputs. */
final class Trace {
    private static final Set<String> CACHES = Set.of("compressed_kv", "compressed_k");
    private static final Set<String> NOT_TRACED = Set.of("logits", "hidden", "drawn");

    private final DeepSeekV4 model;
    private final Execution execution;
    private final int tokens;

    /** @param tokens rows of the prefill, the last thing that {@code model} ran, by its only session */
    Trace(DeepSeekV4 model, int tokens) {
        this.model = model;
        this.execution = model.execution();
        this.tokens = tokens;
    }

    void copyTo(TensorFile file) {
        for (String name : model.graph().outputs().keySet()) {
            if (NOT_TRACED.contains(name)) {
                continue;
            }
            TensorType type = execution.outputType(name);
            if (CACHES.contains(name.substring(name.lastIndexOf('.') + 1))) {
                copyEntries(name, type, file);
            } else if (type.dtype() == DType.I32) {
                file.add(name, execution.ints(name), type.shape().maximum());
            } else {
                file.add(name, execution.floats(name), type.shape().maximum());
            }
        }
    }

    /**
     * A cache is a pool {@code [pages, entries per page, width]}. The only session of a fresh model holds pages 0, 1, 2
     * and so on, so its finished entries are the first of the pool.
     */
    private void copyEntries(String name, TensorType type, TensorFile file) {
        long[] pool = type.shape().maximum();
        int ratio = LoadOptions.PAGE_TOKENS / Math.toIntExact(pool[1]);
        int entries = tokens / ratio;
        int width = Math.toIntExact(pool[2]);
        file.add(name, Arrays.copyOf(execution.floats(name), entries * width), entries, width);
    }
}
