package dev.weft.backend.cuda.kernel;

import dev.weft.op.Dequantize;
import dev.weft.op.FakeQuantize;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.Quantize;
import dev.weft.spi.KernelArguments;
import java.util.List;
import java.util.Map;

/** Quantisers. */
final class QuantOps {
    private static final int THREADS = 256;

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            Quantize.class,
            List.of(Way.simple("quantize", QuantOps::quantize)),
            Dequantize.class,
            List.of(Way.simple(
                    "dequantize", e -> launch(e, "dequantize", e.arguments().elements(1)))),
            FakeQuantize.class,
            List.of(Way.simple("fakeQuantize", QuantOps::fakeQuantize).attributes(QuantOps::format)));

    private QuantOps() {}

    private static void launch(Emit e, String function, long items) {
        e.launch("quant", function, Grid.covering(items, THREADS), THREADS, 0);
    }

    private static void quantize(Emit e) {
        launch(e, "quantize_simple", e.arguments().elements(0) / e.arguments().scaling(1).columns());
    }

    /** One thread per block, and per lane that is copied. */
    private static void fakeQuantize(Emit e) {
        KernelArguments a = e.arguments();
        FakeQuantize op = (FakeQuantize) e.op().op();
        long columns = a.dim(0, -1);
        launch(
                e,
                "fake_quantize_simple",
                a.elements(0) / columns * (op.lanes() / op.block() + columns - op.lanes()));
    }

    private static Attributes format(OpInstance instance) {
        FakeQuantize op = (FakeQuantize) instance.op();
        return Attributes.of(op.dtype().ordinal(), op.block(), op.lanes());
    }
}
