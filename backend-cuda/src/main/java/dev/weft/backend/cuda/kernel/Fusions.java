package dev.weft.backend.cuda.kernel;

import dev.weft.op.ExpertGemm;
import dev.weft.op.FakeQuantize;
import dev.weft.op.Gather;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Hadamard;
import dev.weft.op.HeadNorm;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.op.MoeCombine;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.Op;
import dev.weft.op.Quantize;
import dev.weft.op.RingWrite;
import dev.weft.op.RmsNorm;
import dev.weft.op.Rotary;
import dev.weft.op.SparseAttention;
import dev.weft.op.SwiGlu;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.NodeGroup;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** The table of what is computed together. */
public final class Fusions {
    /** See {@link dev.weft.spi.Fusing#chains}. */
    public static final List<List<Class<? extends Op>>> CHAINS = List.of(
            List.of(MoeCombine.class, HyperPost.class, HyperPre.class, RmsNorm.class, Quantize.class),
            List.of(HyperPost.class, HyperPre.class, RmsNorm.class, Quantize.class),
            List.of(HyperPre.class, RmsNorm.class, Quantize.class),
            List.of(MoeCombine.class, HyperPost.class, HyperPre.class, RmsNorm.class),
            List.of(HyperPost.class, HyperPre.class, RmsNorm.class),
            List.of(HyperPre.class, RmsNorm.class),
            List.of(MoeCombine.class, HyperPost.class, Gather.class),
            List.of(MoeCombine.class, HyperPost.class),
            List.of(SwiGlu.class, Quantize.class, ExpertGemm.class),
            List.of(GroupedGemm.class, Quantize.class, Gemm.class),
            List.of(RmsNorm.class, Quantize.class, Gemm.class),
            List.of(RmsNorm.class, Rotary.class, FakeQuantize.class),
            List.of(Rotary.class, Hadamard.class, FakeQuantize.class),
            List.of(SparseAttention.class, Rotary.class),
            List.of(RmsNorm.class, Rotary.class),
            List.of(Rotary.class, Hadamard.class),
            List.of(RmsNorm.class, Quantize.class),
            List.of(HeadNorm.class, Rotary.class),
            List.of(SwiGlu.class, Quantize.class),
            List.of(MoeGate.class, MoeDispatch.class),
            List.of(Quantize.class, Gemm.class));

    /** Operators whose only kernel may take part. */
    private static final Set<Class<? extends Op>> SIMPLE_ALONE = Set.of(RingWrite.class);

    private static final String ROWS = "rows";
    private static final String GEMMS = "gemms";

    /** Most parts of a launch. */
    static final int MOST_PARTS = 12;

    /** Most pairs of row and choice that one block distributes, and most rows. */
    private static final long MOST_PAIRS = RowsTogether.THREADS;

    private static final long MOST_ROWS_OF_A_BLOCK = 8;

    private Fusions() {}

    /** See {@link dev.weft.spi.Fusing#family}. @param ways of the members alone */
    public static Optional<String> family(NodeGroup group, List<Way> ways) {
        if (!areFast(group, ways)) {
            return Optional.empty();
        }
        if (ops(group).allMatch(Fusions::isGemm)) {
            return Optional.of(GEMMS);
        }
        boolean rows = ops(group)
                .allMatch(op ->
                        RowPart.of(op).isPresent() && !(op instanceof HyperPre) && !(op instanceof SparseAttention));
        return rows && RowsTogether.chains(group).stream().allMatch(chain -> keepsRows(group, chain))
                ? Optional.of(ROWS)
                : Optional.empty();
    }

    /** How the group is computed together. @param ways of the members alone */
    public static Optional<GroupWay> way(NodeGroup group, List<Way> ways) {
        if (!areFast(group, ways)) {
            return Optional.empty();
        }
        List<List<Integer>> chains = RowsTogether.chains(group);
        Optional<String> family = family(group, ways);
        if (family.isPresent()) {
            return group.members().size() > MOST_PARTS
                    ? Optional.empty()
                    : Optional.of(new GroupWay(
                            name(group, chains),
                            family.get().equals(GEMMS)
                                    ? e -> gemms(
                                            e,
                                            IntStream.range(0, group.members().size()))
                                    : e -> rows(e, chains)));
        }
        Op first = group.members().getFirst().instance().op();
        if (first instanceof SparseAttention && group.members().size() == 2 && keepsRows(group, List.of(0, 1))) {
            boolean isHidden = isHandedOn(group, 0)
                    && group.inner().contains(group.members().get(0).result(0));
            return Optional.of(new GroupWay(name(group, chains), e -> attention(e, isHidden)));
        }
        Optional<NormedGemms> normed = NormedGemms.of(group);
        if (normed.isPresent()) {
            return Optional.of(new GroupWay(name(group, chains), normed.get()::emit));
        }
        if (first instanceof Quantize || first instanceof SwiGlu || first instanceof GroupedGemm) {
            return QuantizedGemm.of(group).map(q -> new GroupWay(name(group, chains), q::emit));
        }
        return HyperChain.of(group).map(c -> new GroupWay(name(group, chains), c::emit));
    }

    private static Stream<Op> ops(NodeGroup group) {
        return group.members().stream().map(m -> m.instance().op());
    }

    private static boolean isGemm(Op op) {
        return op instanceof Gemm || op instanceof GroupedGemm || op instanceof ExpertGemm;
    }

    private static boolean areFast(NodeGroup group, List<Way> ways) {
        return IntStream.range(0, ways.size())
                .allMatch(i -> ways.get(i).kind() == Way.Kind.FAST
                        || SIMPLE_ALONE.contains(
                                group.members().get(i).instance().op().getClass()));
    }

    /**
     * Whether the next member reads, as operand 0, the first result of member {@code from} in the shape in which it was made,
     * and none of the group reads its memory otherwise.
     */
    static boolean isHandedOn(NodeGroup group, int from) {
        int made = group.members().get(from).result(0);
        return group.members().get(from + 1).values().getFirst() == made && readers(group, made) == 1;
    }

    /** Operands of members that lie in the memory of a value. */
    static long readers(NodeGroup group, int value) {
        return group.members().stream()
                .flatMap(m -> m.values().subList(0, m.instance().inputs().size()).stream())
                .filter(v -> group.roots().get(v).equals(group.roots().get(value)))
                .count();
    }

    /** Whether the members of a chain have the same rows, so that a block needs those alone that it has computed. */
    private static boolean keepsRows(NodeGroup group, List<Integer> chain) {
        List<NodeGroup.Member> members =
                chain.stream().map(group.members()::get).toList();
        if (members.getFirst().instance().op() instanceof MoeGate) {
            return members.size() == 1 || members.size() == 2 && distributes(members.get(0), members.get(1));
        }
        var shape = members.getFirst().instance().inputs().getFirst().shape();
        return members.stream()
                .allMatch(m -> members.size() == 1
                        || m.instance().inputs().getFirst().shape().equals(shape)
                                && m.instance().outputs().getFirst().shape().equals(shape));
    }

    /** Whether the second distributes what the first chose, in the shapes in which it was made. */
    private static boolean distributes(NodeGroup.Member gate, NodeGroup.Member dispatch) {
        return dispatch.values().get(1) == gate.result(0) && dispatch.values().get(2) == gate.result(1);
    }

    private static String name(NodeGroup group, List<List<Integer>> chains) {
        Map<String, Integer> counts = new LinkedHashMap<>();
        for (List<Integer> chain : chains) {
            String name = chain.stream()
                    .map(m -> group.members().get(m).instance().op().name())
                    .collect(Collectors.joining("+"));
            counts.merge(name, 1, Integer::sum);
        }
        return counts.entrySet().stream()
                .map(e -> e.getValue() == 1 ? e.getKey() : e.getValue() + " x " + e.getKey())
                .collect(Collectors.joining(" | "));
    }

    private static void rows(GroupEmit e, List<List<Integer>> chains) {
        RowsTogether rows = new RowsTogether(e);
        List<Integer> later = new ArrayList<>();
        for (List<Integer> chain : chains) {
            Emit first = e.member(chain.getFirst());
            RowPart kind = RowPart.of(first.op().op()).orElseThrow();
            if (kind == RowPart.GATE || kind == RowPart.DISPATCH) {
                routing(e, rows, chain, later);
                continue;
            }
            KernelArguments a = first.arguments();
            RowsTogether.Chain parts = rows.chain(kind.rows(a), RowsTogether.height(a));
            chain.forEach(m -> parts.then(m, RowPart.of(e.member(m).op().op()).orElseThrow()));
        }
        rows.launch();
        later.forEach(e::alone);
    }

    /**
     * One block for choice and distribution if rows are few, blocks that wait for one another if they are some more; otherwise the
     * distribution has a launch of its own, later.
     */
    private static void routing(GroupEmit e, RowsTogether rows, List<Integer> chain, List<Integer> later) {
        int last = chain.getLast();
        KernelArguments a = e.member(last).arguments();
        boolean distributes = e.member(last).op().op() instanceof MoeDispatch;
        if (!distributes) {
            rows.chain(a.dim(0, 0), 1).then(last, RowPart.GATE);
        } else if (a.elements(1) <= MOST_PAIRS && isOneBlock(e, chain, a.dim(1, 0))) {
            RowsTogether.Chain parts = rows.inOneBlock(a.dim(1, 0));
            chain.forEach(m -> parts.then(m, RowPart.of(e.member(m).op().op()).orElseThrow()));
        } else if (chain.size() == 2 && a.elements(1) <= RoutingOps.FEW) {
            rows.route(chain.getFirst(), last, a.dim(1, 0));
        } else {
            chain.subList(0, chain.size() - 1)
                    .forEach(m -> rows.chain(a.dim(1, 0), 1).then(m, RowPart.GATE));
            later.add(last);
        }
    }

    /** Whether one block can choose for the rows, in a chain with a choice, and distribute them. */
    private static boolean isOneBlock(GroupEmit e, List<Integer> chain, long rows) {
        if (chain.size() == 1) {
            return rows <= MOST_ROWS_OF_A_BLOCK;
        }
        KernelArguments gate = e.member(chain.getFirst()).arguments();
        return RoutingOps.isOneBlock(rows, gate.dim(0, 1), gate.dim(gate.count() - 1, 1));
    }

    /**
     * The lists, whose blocks rotate what they make, unless others want it as it is; where lists are split, or it is wanted,
     * merging and rotation are a second launch.
     */
    private static void attention(GroupEmit e, boolean isHidden) {
        KernelArguments a = e.member(0).arguments();
        if (a.elements(0) == 0 || isHidden && AttentionOps.rotated(e)) {
            return;
        }
        AttentionPlan plan = AttentionOps.lists(e.member(0));
        RowsTogether rows = new RowsTogether(e);
        // a block merges one head at a time, so it has one: lists are split where rows are few
        long height = plan.splits() > 0 ? 1 : RowsTogether.height(a);
        RowsTogether.Chain chain = rows.chain(RowPart.ROTARY.rows(a), height);
        if (plan.splits() > 0) {
            chain.then(0, RowPart.COMBINE_SPLITS, 1, plan.splits());
        }
        chain.then(1, RowPart.ROTARY);
        rows.launch();
    }

    /**
     * Products with few tokens in one launch, those with many in another; what neither kernel takes runs alone. Beside experts,
     * whose weights take the time, a product with some more tokens counts as one with few: what it reads again is in the cache.
     */
    static void gemms(GroupEmit e, IntStream members) {
        int[] all = members.toArray();
        GemmsTogether few = new GemmsTogether(e, "gemm_together");
        String wgmma = "gemm_together_wgmma";
        GemmsTogether many = new GemmsTogether(e, wgmma);
        boolean hasExperts = IntStream.of(all).anyMatch(m -> e.member(m).op().op() instanceof ExpertGemm);
        for (int m : all) {
            Emit member = e.member(m);
            TensorCoreGemm.Product product = TensorCoreGemm.product(member.op().op());
            Optional<TensorCoreGemm.Few> decode = TensorCoreGemm.few(member, product, hasExperts);
            Optional<TensorCoreGemm.Many> tiles =
                    decode.isPresent() ? Optional.empty() : TensorCoreGemm.many(member, product, wgmma);
            if (decode.isPresent()) {
                TensorCoreGemm.Few f = decode.get();
                few.add(m, product, f.grid(), f.isTall(), f.sharedBytes());
            } else if (tiles.isPresent()) {
                TensorCoreGemm.Many t = tiles.get();
                many.add(m, product, t.grid(), t.isWide(), t.sharedBytes());
            } else {
                e.alone(m);
            }
        }
        few.launch();
        many.launch();
    }
}
