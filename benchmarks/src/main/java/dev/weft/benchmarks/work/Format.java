package dev.weft.benchmarks.work;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;

/** Weight formats, with the format their activations have in the model. */
public enum Format {
    /** F4_E2M1 with one scale per row and 32 columns; activations F8_E4M3 with 1 x 128 scales. */
    MXFP4(DType.F4_E2M1, Scaling.MXFP4, DType.F8_E4M3),
    /** F8_E4M3 with one scale per 128 x 128 tile; activations F8_E4M3 with 1 x 128 scales. */
    FP8(DType.F8_E4M3, Scaling.FP8_BLOCK_128, DType.F8_E4M3),
    /** Plain BF16, activations too. */
    BF16(DType.BF16, Scaling.NONE, DType.BF16),
    /** Plain F32, activations too. */
    F32(DType.F32, Scaling.NONE, DType.F32);

    private final DType dtype;
    private final Scaling scaling;
    private final DType activation;

    Format(DType dtype, Scaling scaling, DType activation) {
        this.dtype = dtype;
        this.scaling = scaling;
        this.activation = activation;
    }

    /** Element format of the weights. */
    public DType dtype() {
        return dtype;
    }

    /** Element format of the activations; every activation of a work is exact in it. */
    public DType activation() {
        return activation;
    }

    /** Whether activations are block-quantised before the product. */
    public boolean quantised() {
        return activation == DType.F8_E4M3;
    }

    /** Type of weights of these extents, the input axis last. */
    public TensorType weight(long... extents) {
        return new TensorType(dtype, Shape.of(extents), scaling);
    }
}
