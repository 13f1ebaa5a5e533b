package dev.weft.backend.cuda.kernel;

import dev.weft.DType;
import dev.weft.op.Gemm;
import dev.weft.op.Quantize;
import dev.weft.op.RmsNorm;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.NodeGroup;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/**
 * Products with the same few tokens, whose blocks norm and quantise them themselves: RmsNorm, Quantize, then one or more Gemm
 * with weights in E4M3. With more tokens norm and quantiser have a launch of their own.
 *
 * <p>A block does so while its weights are on their way; where K is not above 1024 they all are. From the cache it reads
 * 2 K (1 + 2 tokens) bytes in BF16, the norm's weights once and the tokens twice, beside its 32 K of weights from memory.
 * It takes some 20 instructions for each value of a token where a weight takes 2: for the queries of Flash with 7 tokens
 * some 60 % of the time in which memory delivers the weights, for which the multiprocessors wait anyway. With more tokens
 * and the products' own instructions both would take as long, and a launch would no longer be saved.
 *
 * @param size members
 */
record NormedGemms(int size) {
    private static final int NORM = 0;
    private static final int QUANTIZE = 1;
    private static final int FIRST = 2;

    /** Most tokens that blocks norm and quantise themselves; the kernel takes as many as {@link TensorCoreGemm#DECODE_TOKENS}. */
    private static final int MOST_TOKENS = 7;

    /** Shared memory that the kernels have of their own, up to where what is launched with begins. */
    static final int STATIC_BYTES = 1024;

    /** The chain that a group is; empty if it is none, or others want what is handed on. */
    static Optional<NormedGemms> of(NodeGroup group) {
        int size = group.members().size();
        if (size <= FIRST
                || size > Fusions.MOST_PARTS
                || !(group.members().get(NORM).instance().op() instanceof RmsNorm)
                || !(group.members().get(QUANTIZE).instance().op() instanceof Quantize q)) {
            return Optional.empty();
        }
        int normed = group.members().get(NORM).result(0);
        int codes = group.members().get(QUANTIZE).result(0);
        boolean isChain = Fusions.isHandedOn(group, NORM)
                && Fusions.readers(group, codes) == size - FIRST
                && group.inner().contains(normed)
                && group.inner().contains(codes);
        boolean fits = q.dtype() == DType.F8_E4M3
                && q.scaling().columns() == TensorCoreGemm.K_BLOCK
                && group.members().stream().skip(FIRST).allMatch(m -> multiplies(m, codes));
        return isChain && fits ? Optional.of(new NormedGemms(size)) : Optional.empty();
    }

    private static boolean multiplies(NodeGroup.Member m, int codes) {
        return m.instance().op() instanceof Gemm
                && m.values().getFirst() == codes
                && m.instance().inputs().get(1).dtype() == DType.F8_E4M3
                && m.instance().inputs().get(1).shape().dim(-1).maximum() % TensorCoreGemm.K_BLOCK == 0;
    }

    void emit(GroupEmit e) {
        KernelArguments x = e.member(NORM).arguments();
        if (x.elements(0) == 0) {
            return;
        }
        if (!together(e)) {
            RowsTogether rows = new RowsTogether(e);
            rows.chain(RowPart.RMS_NORM.rows(x), RowsTogether.height(x))
                    .then(NORM, RowPart.RMS_NORM)
                    .then(QUANTIZE, RowPart.QUANTIZE);
            rows.launch();
            Fusions.gemms(e, products());
        }
    }

    private IntStream products() {
        return IntStream.range(FIRST, size);
    }

    /** All in one launch; false if the tokens are too many, blocks lack memory, or rows are at odd addresses. */
    private boolean together(GroupEmit e) {
        boolean few = products()
                .mapToObj(e::member)
                .allMatch(p -> TensorCoreGemm.tokens(p.arguments()) <= MOST_TOKENS
                        && TensorCoreGemm.few(p, TensorCoreGemm.Product.SINGLE, false)
                                .isPresent());
        OptionalInt fitting = few ? rows(e) : OptionalInt.empty();
        if (fitting.isEmpty()) {
            return false;
        }
        int rows = fitting.getAsInt();
        List<Part> parts = new ArrayList<>(List.of(Part.whole(NORM)));
        long end = 0;
        for (int m : products().toArray()) {
            long first = end;
            end += height(e, m, rows);
            long[] words = {TensorCoreGemm.Product.SINGLE.ordinal()};
            parts.add(new Part(m, words, 1, end - first, first, end, 1));
        }
        e.launch("gemm_normed", "gemm_normed" + rows, Grid.of(end), RowsTogether.THREADS, bytes(e, rows), parts);
        return true;
    }

    /**
     * Rows of weights of a block, as far as they fit: fewer where many multiprocessors would not have a second block; empty if
     * none fit.
     */
    private OptionalInt rows(GroupEmit e) {
        Chip chip = e.member(NORM).chip();
        int most = TensorCoreGemm.DECODE_MOST_ROWS;
        long blocks = products().mapToLong(m -> height(e, m, most)).sum();
        return IntStream.of(most, most / 2)
                .filter(rows -> rows < most || blocks >= 2L * chip.multiprocessors())
                .filter(rows -> bytes(e, rows) + STATIC_BYTES <= chip.sharedBytes())
                .findFirst();
    }

    private static int bytes(GroupEmit e, int rows) {
        return TensorCoreGemm.ownCodesBytes(e.member(FIRST).arguments(), rows);
    }

    /** Blocks of a product. */
    private static long height(GroupEmit e, int product, int rows) {
        return Math.ceilDiv(e.member(product).arguments().dim(1, 0), rows);
    }
}
