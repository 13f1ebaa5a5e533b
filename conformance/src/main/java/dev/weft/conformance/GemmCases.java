package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.op.ExpertGemm;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import java.util.List;
import java.util.stream.Stream;

/** The three matrix products in every combination of formats. */
final class GemmCases {
    /** An activation format, a weight format and a result format. */
    record Formats(TensorType x, TensorType w, DType out) {
        TensorType x(long... extents) {
            return x.shaped(dev.weft.Shape.of(extents));
        }

        TensorType w(long... extents) {
            return w.shaped(dev.weft.Shape.of(extents));
        }

        /** Whether devices have matrix units for them. */
        boolean isNarrow() {
            return x.dtype() != DType.F32 && w.dtype() != DType.F32 && out != DType.F32;
        }
    }

    private static final List<TensorType> ACTIVATIONS = List.of(
            TensorType.of(DType.F32, 0),
            TensorType.of(DType.BF16, 0),
            TensorType.of(DType.F8_E4M3, 0).scaled(Scaling.FP8_GROUP_128));

    private static final List<TensorType> WEIGHTS = List.of(
            TensorType.of(DType.F32, 0),
            TensorType.of(DType.BF16, 0),
            TensorType.of(DType.F8_E4M3, 0).scaled(Scaling.FP8_BLOCK_128),
            TensorType.of(DType.F4_E2M1, 0).scaled(Scaling.MXFP4));

    /** Inputs that share a scale of MXFP4 weights. */
    private static final int MX_BLOCK = 32;

    /** Outputs of which whole tiles are more than a device has processors for: only then it takes tiles of many tokens. */
    static final int MANY_OUTPUTS = 8500;

    /** Rows, outputs, inputs, for F32 and for BF16 results; whole MX blocks. */
    private static final int[][][] SHAPES = {
        {{1, 1, 32}, {7, 130, 256}, {130, 16, 128}}, {{1, 130, 256}, {3, 17, 96}, {17, 33, 160}}
    };

    private GemmCases() {}

    static Stream<OpCase> all() {
        return formats().stream().flatMap(f -> {
            Stream.Builder<OpCase> cases = Stream.builder();
            gemm(f, cases);
            grouped(f, cases);
            experts(f, cases);
            return cases.build();
        });
    }

    /** {@code [m, k]} times {@code [n, k]} in every combination of formats whose blocks such rows fill. */
    static Stream<OpCase> sized(int m, int k, int n) {
        return formats().stream()
                .filter(f -> f.w().dtype() != DType.F4_E2M1 || k % MX_BLOCK == 0)
                .map(f -> OpCase.of(
                        new Gemm(f.out()), Operand.of(f.x(m, k), Data.random()), Operand.of(f.w(n, k), Data.random())));
    }

    static List<Formats> formats() {
        return ACTIVATIONS.stream()
                .flatMap(x ->
                        WEIGHTS.stream().flatMap(w -> PlainCases.FLOWS.stream().map(out -> new Formats(x, w, out))))
                .toList();
    }

    private static void gemm(Formats f, Stream.Builder<OpCase> cases) {
        Gemm op = new Gemm(f.out());
        boolean f32 = f.out() == DType.F32;
        for (int[] s : SHAPES[f32 ? 0 : 1]) {
            Operand w = Operand.of(f.w(s[1], s[2]), Data.random());
            OpCase c = OpCase.of(op, Operand.of(f.x(s[0], s[2]), Data.random().withNan()), w);
            cases.add(s[0] % 2 == 1 && s[0] > 1 ? c.withGaps(0) : c);
        }
        if (!f.w().scaling().isNone() && !f32) {
            Operand smallest = Operand.of(f.w(130, 160), Data.random().withSmallestScales());
            cases.add(OpCase.of(op, Operand.of(f.x(3, 160), Data.random()), smallest)
                    .noted("scale bytes 0"));
        }
        if (f.x().dtype() == DType.F8_E4M3 && f.w().dtype() == DType.F8_E4M3) {
            // libraries that multiply by block take outputs in multiples of 16, and scales in an order of their own
            cases.add(OpCase.of(op, Operand.of(f.x(9, 672), Data.random()), Operand.of(f.w(144, 672), Data.random()))
                    .noted("several blocks of both"));
        }
        if (f.w().dtype() != DType.F4_E2M1 && !f32) {
            cases.add(OpCase.of(op, Operand.of(f.x(7, 33), Data.random()), Operand.of(f.w(17, 33), Data.random())));
        }
        if (f.isNarrow()) {
            Operand many = Operand.of(f.w(MANY_OUTPUTS, 160), Data.random());
            cases.add(OpCase.of(op, Operand.of(f.x(65, 160), Data.random().withNan()), many));
        }
        if (f32) {
            cases.add(OpCase.of(op, Operand.of(f.x(0, 32), Data.random()), Operand.of(f.w(17, 32), Data.random())));
            cases.add(OpCase.of(op, Operand.of(f.x(3, 5, 64), Data.random()), Operand.of(f.w(7, 64), Data.random())));
        }
    }

    private static void grouped(Formats f, Stream.Builder<OpCase> cases) {
        Operand w = Operand.of(f.w(3, 33, 160), Data.random());
        cases.add(OpCase.of(
                        new GroupedGemm(f.out()),
                        Operand.of(f.x(7, 3, 160), Data.random().withNan()),
                        w)
                .withGaps(0));
        // tight rows of whole 16-byte vectors, which tiled kernels want; few and many
        boolean f32 = f.out() == DType.F32;
        long rows = f32 ? 7 : 70;
        long inputs = f32 ? 256 : 160;
        cases.add(OpCase.of(
                new GroupedGemm(f.out()),
                Operand.of(f.x(rows, 3, inputs), Data.random().withNan()),
                Operand.of(f.w(3, 33, inputs), Data.random())));
    }

    private static void experts(Formats f, Stream.Builder<OpCase> cases) {
        Operand w = Operand.of(f.w(5, 33, 160), Data.random());
        boolean f32 = f.out() == DType.F32;
        int[] offsets = f32 ? new int[] {0, 0, 7, 8, 8, 33} : new int[] {0, 1, 1, 17, 17, 17};
        Operand x = Operand.of(f.x(offsets[5], 160), Data.random().withNan());
        cases.add(OpCase.of(new ExpertGemm(f.out()), x, w, Operand.ints(offsets, 6))
                .withGaps(0));
        int[] tight = f32 ? offsets : new int[] {0, 1, 1, 71, 71, 90};
        long inputs = f32 ? 256 : 160;
        cases.add(OpCase.of(
                new ExpertGemm(f.out()),
                Operand.of(f.x(tight[5], inputs), Data.random().withNan()),
                Operand.of(f.w(5, 33, inputs), Data.random()),
                Operand.ints(tight, 6)));
        if (f32) {
            Operand none = Operand.of(f.x(0, 160), Data.random());
            cases.add(OpCase.of(new ExpertGemm(f.out()), none, w, Operand.ints(new int[6], 6)));
        }
    }
}
