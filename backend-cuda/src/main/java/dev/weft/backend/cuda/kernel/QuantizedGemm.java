package dev.weft.backend.cuda.kernel;

import dev.weft.DType;
import dev.weft.Shape;
import dev.weft.op.GroupedGemm;
import dev.weft.op.OpInstance;
import dev.weft.op.Quantize;
import dev.weft.op.SwiGlu;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.NodeGroup;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A product of few tokens that its blocks quantise themselves, with the gated activation where that comes before: [SwiGlu],
 * Quantize, Gemm or ExpertGemm. With more tokens each runs alone, since every block would quantise them anew; if a grouped
 * product comes before, its blocks then quantise what they make.
 *
 * @param gemm which member is the product; the quantiser is before it
 * @param first what the first member is
 */
record QuantizedGemm(int gemm, First first) {
    /** What comes before quantiser and product. */
    enum First {
        NOTHING,
        ACTIVATION,
        GROUPED
    }

    private static final String AFTER_GROUPED = "gemm_wgmma_quantized";

    /** The chain that a group is; empty if it is none, or others want what is handed on. */
    static Optional<QuantizedGemm> of(NodeGroup group) {
        int gemm = group.members().size() - 1;
        NodeGroup.Member quantize = group.members().get(gemm - 1);
        NodeGroup.Member product = group.members().get(gemm);
        First first = first(group.members().getFirst().instance());
        boolean isHidden = IntStream.range(0, gemm)
                .allMatch(i -> group.inner().contains(group.members().get(i).result(0)));
        boolean isChain = gemm == (first == First.NOTHING ? 1 : 2)
                && IntStream.range(first == First.GROUPED ? 1 : 0, gemm).allMatch(i -> Fusions.isHandedOn(group, i))
                && (first != First.GROUPED || joinsGroups(group));
        boolean fits = quantize.instance().op() instanceof Quantize q
                && q.dtype() == DType.F8_E4M3
                && q.scaling().columns() == TensorCoreGemm.K_BLOCK
                && product.instance().inputs().get(1).dtype() != DType.BF16
                && product.instance().inputs().get(1).shape().dim(-1).maximum() % TensorCoreGemm.K_BLOCK == 0;
        return fits && isHidden && isChain ? Optional.of(new QuantizedGemm(gemm, first)) : Optional.empty();
    }

    /** Whether a row of the quantiser is what the grouped product makes of a token: all groups, one behind another. */
    private static boolean joinsGroups(NodeGroup group) {
        NodeGroup.Member grouped = group.members().get(0);
        NodeGroup.Member quantize = group.members().get(1);
        Shape made = grouped.instance().outputs().getFirst().shape();
        Shape rows = quantize.instance().inputs().getFirst().shape();
        return Fusions.readers(group, grouped.result(0)) == 1
                && rows.rank() == 2
                && rows.dim(0).equals(made.dim(0))
                && rows.dim(1).maximum() == made.dim(1).maximum() * made.dim(2).maximum();
    }

    private static First first(OpInstance instance) {
        return switch (instance.op()) {
            case SwiGlu op -> First.ACTIVATION;
            case GroupedGemm op -> First.GROUPED;
            default -> First.NOTHING;
        };
    }

    void emit(GroupEmit e) {
        Emit product = e.member(gemm);
        KernelArguments a = product.arguments();
        if (a.elements(a.count() - 1) == 0) {
            return;
        }
        if (first == First.GROUPED) {
            if (emitGrouped(e)) {
                e.alone(gemm);
                return;
            }
            e.alone(0);
        }
        TensorCoreGemm.Product kind = TensorCoreGemm.product(product.op().op());
        Optional<TensorCoreGemm.Few> few = TensorCoreGemm.few(product, kind, false);
        int bytes = few.map(f -> TensorCoreGemm.ownCodesBytes(a, f.rows())).orElse(0);
        if (few.isEmpty() || bytes > product.chip().sharedBytes()) {
            IntStream.rangeClosed(first == First.ACTIVATION ? 0 : gemm - 1, gemm)
                    .forEach(e::alone);
            return;
        }
        TensorCoreGemm.Few f = few.get();
        List<Part> parts = List.of(
                Part.whole(gemm, kind.ordinal()),
                Part.whole(gemm - 1),
                first == First.ACTIVATION ? Part.whole(0) : Part.NONE);
        String function = "gemm_quantized" + f.rows() + "_" + TensorCoreGemm.name(a.dtype(1));
        e.launch("gemm_quantized", function, f.grid(), RowsTogether.THREADS, bytes, parts);
    }

    /** Grouped product and quantiser in one launch; false if there is no kernel for it. */
    private boolean emitGrouped(GroupEmit e) {
        Emit grouped = e.member(0);
        KernelArguments a = grouped.arguments();
        boolean fits = a.dtype(0) == DType.BF16
                && a.dtype(2) == DType.BF16
                && a.dtype(1) != DType.F4_E2M1
                && a.dim(1, 1) % TensorCoreGemm.K_BLOCK == 0;
        if (!fits
                || TensorCoreGemm.few(grouped, TensorCoreGemm.Product.GROUPED, false)
                        .isPresent()) {
            return false;
        }
        Optional<TensorCoreGemm.Many> many =
                TensorCoreGemm.many(grouped, TensorCoreGemm.Product.GROUPED, AFTER_GROUPED);
        many.ifPresent(m -> e.launch(
                AFTER_GROUPED,
                AFTER_GROUPED + m.tokens() + "_" + TensorCoreGemm.name(a.dtype(1)),
                m.grid(),
                RowsTogether.THREADS,
                m.sharedBytes(),
                List.of(Part.whole(0, TensorCoreGemm.Product.GROUPED.ordinal()), Part.whole(gemm - 1))));
        return many.isPresent();
    }
}
