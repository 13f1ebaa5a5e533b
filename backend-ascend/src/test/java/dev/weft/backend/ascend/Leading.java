package dev.weft.backend.ascend;

import dev.weft.conformance.ModelSize;

/**
 * The function that leads the calls for a case of the model's own sizes.
 *
 * @param size the case
 * @param on950 leading function expected on Ascend 950
 * @param on910 leading function expected on Atlas A3 and A2
 */
record Leading(ModelSize size, String on950, String on910) {
    private static final String COMPOSITE = "composite";

    static Leading of(ModelSize size) {
        return switch (size) {
            case FP8_GEMM, FP4_GEMM -> only950(size, "aclnnQuantMatmulV5");
            case GEMM -> everywhere(size, "aclnnMatmul");
            case GEMM_TO_F32, HADAMARD -> only950(size, "aclnnFusedMatmul");
            case GROUPED_GEMM -> everywhere(size, "aclnnTransposeBatchMatMul");
            case FP4_EXPERTS, NARROW_FP4_EXPERTS -> only950(size, "aclnnGroupedMatmulWeightNz");
            case FP8_EXPERTS -> only950(size, "aclnnGroupedMatmulV5");
            case SWIGLU -> only950(size, "aclnnSwigluGroup");
            case ROTARY -> everywhere(size, "aclnnInplacePartialRotaryMul");
            case HYPER_PRE -> everywhere(size, "aclnnMhcPreSinkhorn");
            case HYPER_POST -> everywhere(size, "aclnnMhcPost");
            case HASHED_GATE -> only950(size, "aclnnMoeGatingTopKV2");
            case DISPATCH -> everywhere(size, "aclnnMoeInitRoutingV3");
            case RMS_NORM, HEAD_NORM -> everywhere(size, "aclnnRmsNorm");
            case QUANTIZE, FP8_ENTRIES, FP4_KEYS -> only950(size, "aclnnCast");
            case INDEX -> new Leading(size, COMPOSITE, "aclnnLightningIndexerV2");
            case ATTENTION -> everywhere(size, "aclnnSparseFlashMla");
        };
    }

    private static Leading everywhere(ModelSize size, String function) {
        return new Leading(size, function, function);
    }

    private static Leading only950(ModelSize size, String function) {
        return new Leading(size, function, COMPOSITE);
    }
}
