package dev.weft.conformance;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The cases of the suite. Sizes are small and straddle the lane widths of real devices. */
public final class OpCases {
    /** Row counts: none, one, and around 8, 16, 32 and 128. */
    static final int[] ROWS = {0, 1, 3, 7, 16, 17, 33, 130};

    private OpCases() {}

    /** All cases, operator by operator. */
    public static List<OpCase> all() {
        return Stream.of(
                        PlainCases.all(),
                        NormCases.all(),
                        SelectCases.all(),
                        QuantCases.all(),
                        GemmCases.all(),
                        AttentionCases.all(),
                        CompressCases.all(),
                        MoeCases.all(),
                        HyperCases.all(),
                        CollectiveCases.all())
                .flatMap(s -> s)
                .toList();
    }

    /** The cases of one operator, by its name in lower camel case. */
    public static List<OpCase> of(String opName) {
        return all().stream().filter(c -> c.op().name().equals(opName)).toList();
    }

    /**
     * A matrix product of a size that the suite does not have, in every combination of formats.
     *
     * @param m rows
     * @param k inputs; MXFP4 weights take part if it is a multiple of 32
     * @param n outputs
     */
    public static List<OpCase> gemm(int m, int k, int n) {
        return GemmCases.sized(m, k, n).toList();
    }

    /** All cases under their operators' names, in order of first appearance. */
    public static Map<String, List<OpCase>> byOperator() {
        return all().stream()
                .collect(Collectors.groupingBy(c -> c.op().name(), LinkedHashMap::new, Collectors.toList()));
    }
}
