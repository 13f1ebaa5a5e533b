package dev.weft.op;

import static dev.weft.DType.F32;
import static dev.weft.DType.F4_E2M1;
import static dev.weft.DType.F8_E4M3;
import static dev.weft.DType.I32;
import static dev.weft.DType.I64;
import static dev.weft.DType.I8;
import static dev.weft.op.Examples.type;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.weft.DTypeException;
import dev.weft.Scaling;
import dev.weft.ShapeException;
import dev.weft.TensorType;
import dev.weft.WeftException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Operands that break a contract: the message names operator and operand. */
class InferenceErrorsTest {

    private record Broken(
            Class<? extends Op> op, String operand, TensorType found, Class<? extends WeftException> error) {}

    /** One operand of a valid call replaced. */
    private static final List<Broken> CASES = List.of(
            new Broken(Gemm.class, "w", type(F32, 256, 64), ShapeException.class),
            new Broken(Gemm.class, "w", type(F8_E4M3, 256, 128), DTypeException.class),
            new Broken(Gemm.class, "w", type(F4_E2M1, 256, 128).scaled(Scaling.FP8_BLOCK_128), DTypeException.class),
            new Broken(Gemm.class, "x", type(F8_E4M3, 5, 128), DTypeException.class),
            new Broken(GroupedGemm.class, "w", type(F32, 3, 16, 64), ShapeException.class),
            new Broken(ExpertGemm.class, "offsets", type(I32, 8), ShapeException.class),
            new Broken(ExpertGemm.class, "w", type(F4_E2M1, 8, 64, 48).scaled(Scaling.MXFP4), ShapeException.class),
            new Broken(Add.class, "b", type(F32, 5, 64), ShapeException.class),
            new Broken(Concat.class, "b", type(F32, 4, 64), ShapeException.class),
            new Broken(Slice.class, "x", type(F32, 5, 100), ShapeException.class),
            new Broken(TopK.class, "x", type(F32, 5, 2), ShapeException.class),
            new Broken(RmsNorm.class, "w", type(F32, 64), ShapeException.class),
            new Broken(Hadamard.class, "x", type(F32, 5, 96), ShapeException.class),
            new Broken(Rotary.class, "positions", type(I32, 4), ShapeException.class),
            new Broken(Rotary.class, "x", type(F32, 5, 2, 32), ShapeException.class),
            new Broken(Quantize.class, "x", type(F32, 5, 100), ShapeException.class),
            new Broken(FakeQuantize.class, "x", type(F32, 5, 32), ShapeException.class),
            new Broken(Dequantize.class, "x", type(F8_E4M3, 5, 128), ShapeException.class),
            new Broken(SparseAttention.class, "ring", type(F32, 2, 7, 128), ShapeException.class),
            new Broken(SparseAttention.class, "sink", type(F32, 3), ShapeException.class),
            new Broken(SparseAttention.class, "picks", type(I32, 4, 3), ShapeException.class),
            new Broken(SparseAttention.class, "cache", type(F32, 8, 4, 64), ShapeException.class),
            new Broken(Compress.class, "kRing", type(F32, 2, 7, 256), ShapeException.class),
            new Broken(Compress.class, "ape", type(F32, 3, 256), ShapeException.class),
            new Broken(Compress.class, "starts", type(I32, 4), ShapeException.class),
            new Broken(LightningIndex.class, "keys", type(F32, 8, 4, 64), ShapeException.class),
            new Broken(RingWrite.class, "rows", type(F32, 5, 64), ShapeException.class),
            new Broken(MoeGate.class, "bias", type(F32, 7), ShapeException.class),
            new Broken(MoeDispatch.class, "weights", type(F32, 5, 3), ShapeException.class),
            new Broken(MoeCombine.class, "source", type(I32, 9), ShapeException.class),
            new Broken(SwiGlu.class, "up", type(F32, 5, 64), ShapeException.class),
            new Broken(HyperPre.class, "fn", type(F32, 24, 127), ShapeException.class),
            new Broken(HyperPost.class, "comb", type(F32, 5, 4, 3), ShapeException.class),
            new Broken(HyperHead.class, "scale", type(F32, 3), ShapeException.class),
            new Broken(ReduceScatter.class, "x", type(F32, 5, 128), ShapeException.class),
            new Broken(MoePlaces.class, "experts", type(I32, 5), ShapeException.class),
            new Broken(Unsort.class, "source", type(I32, 4), ShapeException.class),
            new Broken(AllToAll.class, "x", type(F32, 5, 128), ShapeException.class),
            new Broken(MoeGather.class, "places", type(I32, 4, 2), ShapeException.class),
            new Broken(MoeSend.class, "offsets", type(I32, 8), ShapeException.class),
            new Broken(MoeReturn.class, "counts", type(I64, 2, 8), ShapeException.class),
            new Broken(GatherRows.class, "counts", type(I64, 3), ShapeException.class),
            new Broken(ScatterColumns.class, "x", type(F32, 5, 127), ShapeException.class),
            new Broken(GatherColumns.class, "counts", type(I64, 3), ShapeException.class));

    @TestFactory
    Stream<DynamicTest> shapesAndFormats() {
        return CASES.stream().map(c -> {
            OpInstance valid = example(c.op());
            int operand = valid.op().operands().indexOf(c.operand());
            String title = valid.op().name() + ": " + c.operand() + " " + c.found();
            return DynamicTest.dynamicTest(title, () -> assertNamed(valid, operand, c.found(), c.error()));
        });
    }

    /** No operator takes bytes: each operand of each operator must be refused by name. */
    @TestFactory
    Stream<DynamicTest> everyOperandHasADType() {
        return Examples.all().stream()
                .flatMap(valid -> IntStream.range(0, valid.inputs().size())
                        .mapToObj(i -> DynamicTest.dynamicTest(
                                valid.op().name() + ": " + valid.op().operands().get(i) + " as bytes",
                                () -> assertNamed(
                                        valid,
                                        i,
                                        TensorType.of(I8, valid.inputs().get(i).shape()),
                                        DTypeException.class))));
    }

    @TestFactory
    Stream<DynamicTest> everyOperatorCountsItsOperands() {
        return Examples.all().stream()
                .map(valid -> DynamicTest.dynamicTest(valid.op().name(), () -> {
                    List<TensorType> more = new ArrayList<>(valid.inputs());
                    more.add(type(F32, 1));
                    ShapeException e =
                            assertThrows(ShapeException.class, () -> valid.op().infer(more));
                    assertTrue(e.getMessage().startsWith(valid.op().name() + ": operand count"), e.getMessage());
                }));
    }

    @Test
    void everyOperatorHasAnExample() {
        Set<Class<?>> covered =
                Examples.all().stream().map(i -> i.op().getClass()).collect(Collectors.toSet());
        assertEquals(Set.copyOf(Arrays.asList(Op.class.getPermittedSubclasses())), covered);
    }

    private static OpInstance example(Class<? extends Op> op) {
        return Examples.all().stream()
                .filter(i -> op.isInstance(i.op()))
                .findFirst()
                .orElseThrow();
    }

    private static void assertNamed(
            OpInstance valid, int operand, TensorType found, Class<? extends WeftException> error) {
        List<TensorType> types = new ArrayList<>(valid.inputs());
        types.set(operand, found);
        WeftException e = assertThrows(error, () -> valid.op().infer(types));
        assertTrue(e.getMessage().startsWith(valid.op().name() + ": "), e.getMessage());
        // of two operands that must agree the message names both, either of them first
        String subject = " " + valid.op().operands().get(operand) + " " + found;
        assertTrue(e.getMessage().contains(subject), e.getMessage());
    }
}
