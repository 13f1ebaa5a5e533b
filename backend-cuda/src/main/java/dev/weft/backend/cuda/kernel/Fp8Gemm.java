package dev.weft.backend.cuda.kernel;

import dev.weft.DType;
import dev.weft.UnsupportedOpException;
import dev.weft.backend.cuda.kernel.TensorCoreGemm.Many;
import dev.weft.backend.cuda.kernel.TensorCoreGemm.Product;
import dev.weft.op.ExpertGemm;
import dev.weft.op.Gemm;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.spi.KernelArguments;
import java.util.Map;
import java.util.Optional;

/**
 * Products of many FP8 tokens with FP8 or FP4 weights on Hopper's FP8 units, at twice the rate of BF16. Those keep about 14 bits of
 * a sum, so that a row's bits depend on how many tokens are computed with it, and F32 results would be outside of their
 * tolerance: {@link TensorCoreGemm} computes these, and few tokens.
 */
public final class Fp8Gemm {
    /** In place of {@link GemmOps}' own ways. */
    public static final Map<Class<? extends Op>, Way> WAYS = Map.of(
            Gemm.class, way("gemm", Product.SINGLE),
            ExpertGemm.class, way("expert_gemm", Product.EXPERTS));

    /** File of kernels. */
    static final String MODULE = "gemm_fp8";

    private static final int STAGES = 4;
    private static final int OUTPUTS = 128;

    /** Exponents of the tokens' scales, twice. */
    private static final int TOKEN_EXPONENTS = 2 * Integer.BYTES;

    /** Magnitudes of E2M1 for 20 powers of two, and for NaN. */
    private static final int MAGNITUDES = 21 * 8;

    private Fp8Gemm() {}

    private static Way way(String name, Product product) {
        return Way.fewerBits(name + "/fp8", e -> emit(e, product)).refusing((op, chip) -> refusal(op, chip, product));
    }

    private static Optional<String> refusal(OpInstance op, Chip chip, Product product) {
        DType x = op.inputs().get(0).dtype();
        DType w = op.inputs().get(1).dtype();
        DType y = op.outputs().getFirst().dtype();
        if (!chip.hasWgmma()) {
            return Optional.of("compute capability " + chip.sm() / 10.0 + ": products of warpgroups are 9.0's alone");
        }
        if (x != DType.F8_E4M3 || w != DType.F8_E4M3 && w != DType.F4_E2M1) {
            return Optional.of("FP8 units are used for F8_E4M3 x F8_E4M3 or F4_E2M1, found " + x + " x " + w);
        }
        if (y != DType.BF16) {
            return Optional.of("result " + y + ": FP8 units keep fewer bits of a sum, enough for BF16");
        }
        if (TensorCoreGemm.isAlwaysFew(op, product)) {
            return Optional.of("too few tokens");
        }
        return TensorCoreGemm.refusal(op, chip);
    }

    /**
     * Calls with few tokens, or with rows at odd addresses, run as on the device without a variant.
     *
     * @throws UnsupportedOpException without an image for exactly this chip: then no call would run here, and the way is passed over
     */
    private static void emit(Emit e, Product product) {
        if (!e.hasOwnFeatures(MODULE)) {
            throw new UnsupportedOpException("image of the kernels '" + MODULE + "': found none for sm_"
                    + e.chip().sm()
                    + "a, expected one, since no other holds products of warpgroups; build this library where nvcc is on"
                    + " the PATH");
        }
        Optional<Many> many = TensorCoreGemm.few(e, product, false).isPresent()
                ? Optional.empty()
                : TensorCoreGemm.many(e, product, MODULE);
        many.ifPresentOrElse(
                m -> {
                    int bytes = sharedBytes(e.arguments(), m.tokens());
                    TensorCoreGemm.launch(e, product, MODULE, MODULE + "_" + m.tokens(), m.grid(), bytes);
                },
                () -> own(e).body().emit(e));
    }

    private static Way own(Emit e) {
        return CudaOps.ways(e.op().op()).getFirst(); // refuses what this does
    }

    /** Alignment, tokens and weights under way, exponents, the table of magnitudes. */
    private static int sharedBytes(KernelArguments a, int tokens) {
        int weights = OUTPUTS * TensorCoreGemm.K_BLOCK * a.dtype(1).bits() / Byte.SIZE;
        return 1024 + STAGES * (tokens * TensorCoreGemm.K_BLOCK + weights) + tokens * TOKEN_EXPONENTS + MAGNITUDES;
    }
}
