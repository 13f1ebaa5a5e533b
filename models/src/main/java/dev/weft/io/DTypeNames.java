package dev.weft.io;

import dev.weft.DType;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** Spelling of element formats in the safetensors format. */
final class DTypeNames {
    private static final Map<String, DType> BY_NAME = new HashMap<>();

    static {
        for (DType d : DType.values()) {
            BY_NAME.put(of(d), d);
        }
    }

    private DTypeNames() {}

    static String of(DType dtype) {
        return dtype == DType.F4_E2M1 ? "F4" : dtype.name();
    }

    static Optional<DType> parse(String name) {
        return Optional.ofNullable(BY_NAME.get(name));
    }
}
