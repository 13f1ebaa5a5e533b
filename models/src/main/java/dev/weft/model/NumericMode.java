package dev.weft.model;

import dev.weft.DType;

/** How a model's numbers flow, chosen when it is compiled. */
public enum NumericMode {
    /** Exact weights, F32 arithmetic, no activation quantisers: the semantics without rounding. */
    FP32(DType.F32, false),
    /** F32 flow with every activation quantiser of the model. */
    QAT32(DType.F32, true),
    /** The publisher's flow: BF16 between operators, with the quantisers. What accelerators run. */
    BF16(DType.BF16, true);

    private final DType flow;
    private final boolean quantised;

    NumericMode(DType flow, boolean quantised) {
        this.flow = flow;
        this.quantised = quantised;
    }

    /** Dtype of activations between operators and of caches. */
    public DType flow() {
        return flow;
    }

    /** Whether activation quantisers are in the graph. */
    public boolean quantised() {
        return quantised;
    }
}
