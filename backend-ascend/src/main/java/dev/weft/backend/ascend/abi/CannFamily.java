package dev.weft.backend.ascend.abi;

import java.util.List;

/**
 * How an installation divides its operators into libraries. The two forms contain the same symbols and must not meet in
 * one process.
 */
public enum CannFamily {
    /** CANN up to 8.5: one library of operators. */
    CANN_8(List.of("libopapi.so")),
    /** CANN 9 and later: operators in three libraries. */
    CANN_9(List.of("libopapi_math.so", "libopapi_nn.so", "libopapi_transformer.so"));

    private final List<String> operatorLibraries;

    CannFamily(List<String> operatorLibraries) {
        this.operatorLibraries = operatorLibraries;
    }

    /** Files with operators, each after those it needs. */
    public List<String> operatorLibraries() {
        return operatorLibraries;
    }

    /** The other form. */
    CannFamily other() {
        return this == CANN_8 ? CANN_9 : CANN_8;
    }
}
