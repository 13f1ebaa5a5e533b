package dev.weft.backend.cuda.kernel;

import dev.weft.op.Compress;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.RingWrite;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Window rings and the compressor: a block of threads per row of the step, whatever it finds to do there. */
final class CacheOps {
    private static final String MODULE = "cache";

    private static final int RING_THREADS = 128;
    private static final int SIMPLE_THREADS = 256;

    /** Most threads of a block of the fast compressor, and channels of each. */
    private static final int THREADS = 256;

    private static final int CHANNELS = 4;

    /** More groups would leave few rows to each. */
    private static final int MOST_GROUPS = 8;

    private static final int K = 0;
    private static final int CACHE = 6;

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            RingWrite.class,
            List.of(Way.simple("ringWrite", CacheOps::ringWrite)),
            Compress.class,
            List.of(
                    Way.fast("compress", CacheOps::compress)
                            .attributes(CacheOps::attributes)
                            .refusing((op, chip) -> refusal(width(op))),
                    Way.simple("compress", CacheOps::compressSimple).attributes(CacheOps::attributes)));

    private CacheOps() {}

    private static void ringWrite(Emit e) {
        e.launch(MODULE, "ring_write", Grid.of(e.arguments().dim(1, 0)), RING_THREADS, 0);
    }

    private static Attributes attributes(OpInstance instance) {
        Compress op = (Compress) instance.op();
        return new Attributes(
                List.of(
                        (long) op.ratio(),
                        op.overlap() ? 1L : 0L,
                        (long) op.rotary().dim(),
                        Double.doubleToRawLongBits(op.eps()),
                        (long) op.form().ordinal()),
                List.of(op.rotary().inverseFrequencies()));
    }

    private static void compressSimple(Emit e) {
        int bytes = Math.toIntExact(Float.BYTES * width(e.op()));
        e.launch(MODULE, "compress_simple", Grid.of(e.arguments().dim(K, 0)), SIMPLE_THREADS, bytes);
    }

    private static Optional<String> refusal(long width) {
        long most = (long) THREADS * CHANNELS;
        return width % CHANNELS == 0 && width <= most
                ? Optional.empty()
                : Optional.of("entries must be multiples of " + CHANNELS + " up to " + most + " wide: found " + width);
    }

    private static void compress(Emit e) {
        Grid grid = Grid.of(e.arguments().dim(K, 0));
        e.launch(MODULE, "compress", grid, THREADS, compressBytes(e.op()), groups(e.op()));
    }

    /** Groups of threads of the fast compressor. */
    static int groups(OpInstance instance) {
        Compress op = (Compress) instance.op();
        int lanes = Math.toIntExact(width(instance)) / CHANNELS;
        return Math.clamp(THREADS / lanes, 1, Math.min(MOST_GROUPS, op.coff() * op.ratio()));
    }

    /** Shared memory of a block of the fast compressor. */
    static int compressBytes(OpInstance instance) {
        return Math.toIntExact((3 * groups(instance) + 1) * width(instance) * Float.BYTES);
    }

    private static long width(OpInstance op) {
        return op.inputs().get(CACHE).shape().last().maximum();
    }
}
