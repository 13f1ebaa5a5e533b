package dev.weft.backend.cuda.kernel;

import dev.weft.op.Dequantize;
import dev.weft.op.FakeQuantize;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.Quantize;
import dev.weft.spi.KernelArguments;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToIntFunction;

/** Quantisers. */
final class QuantOps {
    private static final int THREADS = 256;

    /** Values of a thread of the fast kernels, and the most of a warp. */
    private static final int RUN = 8;

    private static final int MOST_BLOCK = 32 * RUN;

    private static final ToIntFunction<OpInstance> QUANTIZE_BLOCK =
            op -> ((Quantize) op.op()).scaling().columns();
    private static final ToIntFunction<OpInstance> FAKE_BLOCK = op -> ((FakeQuantize) op.op()).block();

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            Quantize.class,
            List.of(
                    Way.fast("quantize", e -> runs(e, "quantize_runs", QUANTIZE_BLOCK))
                            .refusing((op, chip) -> oddBlock(op, QUANTIZE_BLOCK)),
                    Way.simple("quantize", QuantOps::quantize)),
            Dequantize.class,
            List.of(Way.simple(
                    "dequantize", e -> launch(e, "dequantize", e.arguments().elements(1)))),
            FakeQuantize.class,
            List.of(
                    Way.fast("fakeQuantize", e -> runs(e, "fake_quantize_runs", FAKE_BLOCK))
                            .refusing((op, chip) -> oddBlock(op, FAKE_BLOCK))
                            .attributes(QuantOps::format),
                    Way.simple("fakeQuantize", QuantOps::fakeQuantize).attributes(QuantOps::format)));

    private QuantOps() {}

    /** Lanes exchange maxima pairwise, so a block must be shared by a power of two of them. */
    private static Optional<String> oddBlock(OpInstance op, ToIntFunction<OpInstance> block) {
        int n = block.applyAsInt(op);
        return Integer.bitCount(n) == 1 && n >= RUN && n <= MOST_BLOCK
                ? Optional.empty()
                : Optional.of(op.op().name() + ": block of " + n + ": expected a power of two from " + RUN + " to "
                        + MOST_BLOCK);
    }

    private static void runs(Emit e, String function, ToIntFunction<OpInstance> block) {
        KernelArguments a = e.arguments();
        int n = block.applyAsInt(e.op());
        long columns = a.dim(0, -1);
        long threads = a.elements(0) / columns * Math.ceilDiv(columns, (long) n) * (n / RUN);
        e.launch("quant_fast", function, Grid.covering(threads, THREADS), THREADS, 0);
    }

    private static void launch(Emit e, String function, long items) {
        e.launch("quant", function, Grid.covering(items, THREADS), THREADS, 0);
    }

    private static void quantize(Emit e) {
        launch(e, "quantize_simple", e.arguments().elements(0) / QUANTIZE_BLOCK.applyAsInt(e.op()));
    }

    /** One thread per block, and per lane that is copied. */
    private static void fakeQuantize(Emit e) {
        KernelArguments a = e.arguments();
        FakeQuantize op = (FakeQuantize) e.op().op();
        long columns = a.dim(0, -1);
        launch(e, "fake_quantize_simple", a.elements(0) / columns * (op.lanes() / op.block() + columns - op.lanes()));
    }

    private static Attributes format(OpInstance instance) {
        FakeQuantize op = (FakeQuantize) instance.op();
        return Attributes.of(op.dtype().ordinal(), op.block(), op.lanes());
    }
}
