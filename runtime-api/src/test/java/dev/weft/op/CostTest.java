package dev.weft.op;

import static dev.weft.op.Examples.type;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Arithmetic and traffic of a call, counted by hand. */
class CostTest {
    private static final long X = 4 * 256 * 4;

    private static TensorType experts(long count) {
        return type(DType.F4_E2M1, count, 64, 256).scaled(Scaling.MXFP4);
    }

    @Test
    void gemm() {
        Gemm op = new Gemm(DType.F32);
        TensorType w = type(DType.F8_E4M3, 384, 256).scaled(Scaling.FP8_BLOCK_128);
        List<TensorType> in = List.of(type(DType.F32, 4, 256), w);
        assertEquals(2.0 * 4 * 256 * 384, op.flops(in));
        assertEquals(X + 384 * 256 + 3 * 2 + 4 * 384 * 4, op.bytes(in));
    }

    @Test
    void gemmWithNamedRowsCostsTheLargestCall() {
        Gemm op = new Gemm(DType.BF16);
        TensorType x = TensorType.of(DType.BF16, Shape.of(Dim.named("tokens", 0, 7), Dim.fixed(256)));
        List<TensorType> in = List.of(x, type(DType.BF16, 16, 256));
        assertEquals(2.0 * 7 * 256 * 16, op.flops(in));
        assertEquals(2.0 * (7 * 256 + 16 * 256 + 7 * 16), op.bytes(in));
    }

    /** Four rows touch at most four of eight experts. */
    @Test
    void expertGemmReadsTouchedExperts() {
        ExpertGemm op = new ExpertGemm(DType.F32);
        List<TensorType> in = List.of(type(DType.F32, 4, 256), experts(8), type(DType.I32, 9));
        assertEquals(2.0 * 4 * 256 * 64, op.flops(in));
        double oneExpert = 64 * 256 / 2 + 64 * 256 / 32;
        assertEquals(X + 4 * oneExpert + 9 * 4 + 4 * 64 * 4, op.bytes(in));
    }

    @Test
    void expertGemmReadsEveryExpertOnce() {
        ExpertGemm op = new ExpertGemm(DType.F32);
        List<TensorType> in = List.of(type(DType.F32, 4, 256), experts(2), type(DType.I32, 3));
        double oneExpert = 64 * 256 / 2 + 64 * 256 / 32;
        assertEquals(X + 2 * oneExpert + 3 * 4 + 4 * 64 * 4, op.bytes(in));
    }

    /** Two heads of 128 lanes, five rows; a window of 8 and 3 picks; two products per key. */
    @Test
    void attention() {
        OpInstance call = Examples.attention();
        assertEquals(2.0 * 2 * 5 * 2 * 128 * (8 + 3), call.op().flops(call.inputs()));
    }

    @TestFactory
    Stream<DynamicTest> everyOperatorIsCounted() {
        return Examples.all().stream()
                .map(call -> DynamicTest.dynamicTest(call.op().name(), () -> {
                    double flops = call.op().flops(call.inputs());
                    double bytes = call.op().bytes(call.inputs());
                    assertTrue(flops >= 0 && Double.isFinite(flops), "flops " + flops);
                    assertTrue(bytes > 0 && Double.isFinite(bytes), "bytes " + bytes);
                    Tolerance tolerance = call.op().tolerance(call.inputs());
                    assertTrue(tolerance.nmse() >= 0 && tolerance.relative() >= 0, tolerance.toString());
                }));
    }
}
