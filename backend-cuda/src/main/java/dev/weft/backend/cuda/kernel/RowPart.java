package dev.weft.backend.cuda.kernel;

import dev.weft.op.Compress;
import dev.weft.op.FakeQuantize;
import dev.weft.op.Hadamard;
import dev.weft.op.HeadNorm;
import dev.weft.op.HyperPre;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.Quantize;
import dev.weft.op.RingWrite;
import dev.weft.op.RmsNorm;
import dev.weft.op.Rotary;
import dev.weft.op.Scale;
import dev.weft.op.SparseAttention;
import dev.weft.op.SwiGlu;
import dev.weft.spi.KernelArguments;
import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What {@code rows_together} can do to a row; ordinals are known to the kernel. */
enum RowPart {
    NONE(null),
    RMS_NORM(RmsNorm.class),
    HEAD_NORM(HeadNorm.class),
    ROTARY(Rotary.class),
    HADAMARD(Hadamard.class),
    QUANTIZE(Quantize.class),
    FAKE_QUANTIZE(FakeQuantize.class),
    SWI_GLU(SwiGlu.class),
    SCALE(Scale.class),
    RING_WRITE(RingWrite.class),
    COMPRESS(Compress.class),
    GATE(MoeGate.class),
    DISPATCH(MoeDispatch.class),
    ROUTE(null),
    HYPER_ROW(HyperPre.class),
    HYPER_COEFFICIENTS(null),
    COMBINE_SPLITS(SparseAttention.class);

    private final @Nullable Class<? extends Op> op;

    RowPart(@Nullable Class<? extends Op> op) {
        this.op = op;
    }

    /** The part that computes a row of an operator. */
    static Optional<RowPart> of(Op op) {
        return Arrays.stream(values())
                .filter(p -> p.op != null && p.op.isInstance(op))
                .findFirst();
    }

    /** Rows of a call. */
    long rows(KernelArguments a) {
        return switch (this) {
            case RING_WRITE -> a.dim(1, 0);
            case COMPRESS, GATE, ROUTE, HYPER_ROW, HYPER_COEFFICIENTS -> a.dim(0, 0);
            case DISPATCH -> 1;
            default -> a.elements(0) / a.dim(0, -1);
        };
    }

    /** Launch words of the operator's own kernel. */
    long[] words(OpInstance op) {
        return this == COMPRESS ? new long[] {CacheOps.groups(op)} : new long[0];
    }

    /** Of a block that has one row, or all if it can. */
    private static int gateBytes(KernelArguments a) {
        long rows = a.dim(0, 0);
        long experts = a.dim(0, 1);
        long k = a.dim(a.count() - 1, 1);
        int each = RoutingOps.gateBytes(experts, k);
        return RoutingOps.isOneBlock(rows, experts, k) ? (int) Math.max(1, rows) * each : each;
    }

    /** Shared memory of a block. */
    int sharedBytes(OpInstance op, KernelArguments a) {
        return switch (this) {
            case COMPRESS -> CacheOps.compressBytes(op);
            case GATE, ROUTE -> gateBytes(a);
            case DISPATCH -> Math.toIntExact(a.elements(1) * Integer.BYTES);
            default -> 0;
        };
    }
}
