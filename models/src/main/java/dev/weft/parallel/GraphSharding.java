package dev.weft.parallel;

import static java.util.Objects.requireNonNull;

import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Node;
import dev.weft.graph.Value;
import dev.weft.op.AllToAll;
import dev.weft.op.Compress;
import dev.weft.op.ExpertGemm;
import dev.weft.op.ExpertTable;
import dev.weft.op.Gather;
import dev.weft.op.GatherColumns;
import dev.weft.op.GatherRows;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.MoeCombine;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGather;
import dev.weft.op.MoePlaces;
import dev.weft.op.MoeReturn;
import dev.weft.op.MoeSend;
import dev.weft.op.Op;
import dev.weft.op.RowCounts;
import dev.weft.op.ScatterColumns;
import dev.weft.op.SparseAttention;
import dev.weft.op.Unsort;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Rewrites a graph into one rank's share, node by node. A spread operator stands between collectives that bring it the rows
 * of all ranks and give each rank its own back, so whatever follows sees the value it always saw. Dimensions may become
 * zero: a rank without work takes part.
 */
final class GraphSharding {
    private final ParallelPlan plan;
    private final ExpertTable table;
    private final int rank;
    private final Graph source;
    private final boolean fixed;
    private final GraphBuilder g;
    private final @Nullable ContextExchange context;
    private final Map<Integer, Value> mapped = new HashMap<>();
    private final Map<String, WeightShard> shards = new HashMap<>();
    /** By the source list of a dispatch: how its rows come back. */
    private final Map<Integer, WayBack> sent = new HashMap<>();
    /** In the fixed layout, likewise. */
    private final Map<Integer, FixedWayBack> gathered = new HashMap<>();
    /** By the dimension that they sum to: the rows of every rank of a block. */
    private final Map<String, Value> counts = new HashMap<>();

    private record WayBack(Value counts, Value offsets) {}

    /**
     * @param sorted where rows stand that were computed here
     * @param back where rows lie that have come back
     * @param order in which they are then
     */
    private record FixedWayBack(Value sorted, Value back, Value order) {}

    GraphSharding(
            ParallelPlan plan,
            ExpertTable table,
            int rank,
            Graph source,
            boolean fixed,
            @Nullable ContextInputs inputs) {
        this.fixed = fixed;
        this.plan = plan;
        this.table = table;
        this.rank = rank;
        this.source = source;
        this.g = Graph.builder(inputs == null ? source.name() : source.name() + "-context");
        this.context = inputs == null ? null : new ContextExchange(g, plan.ranks(), inputs);
    }

    ShardedGraph run() {
        source.nodes().forEach(this::split);
        int declared = 0;
        for (Node node : source.nodes()) {
            declared = declare(declared, node.outputs().getFirst().id());
            String label = node.label();
            int end = label.lastIndexOf(node.op().name());
            List<Value> out = inScope(label.substring(0, Math.max(0, end)), () -> rewrite(node));
            for (int i = 0; i < out.size(); i++) {
                mapped.put(node.outputs().get(i).id(), out.get(i));
            }
            declared += node.outputs().size();
        }
        declare(declared, source.values().size());
        source.outputs().forEach((name, v) -> g.output(name, at(v)));
        return new ShardedGraph(g.build(), shards);
    }

    private <T> T inScope(String prefix, Supplier<T> body) {
        return prefix.isEmpty() ? body.get() : g.scope(prefix.substring(0, prefix.length() - 1), body);
    }

    /** Notes which weights of a node are spread. */
    private void split(Node node) {
        for (Value v : node.inputs()) {
            if (v.kind() != Value.Kind.WEIGHT) {
                continue;
            }
            if (node.op() instanceof ExpertGemm) {
                shards.put(
                        v.name(),
                        new WeightShard.Experts(v.type(), table.ranks().get(rank)));
            } else {
                plan.split(v.name()).ifPresent(s -> shards.put(v.name(), shard(v.type(), s)));
            }
        }
    }

    private WeightShard shard(TensorType whole, ParallelPlan.Split split) {
        int index = rank % split.block();
        return switch (split.axis()) {
            case ROWS -> new WeightShard.Rows(whole, index, split.block());
            case COLUMNS -> new WeightShard.Columns(whole, index, split.block());
        };
    }

    /** Declares values that no node computes. */
    private int declare(int from, int to) {
        for (int i = from; i < to; i++) {
            Value v = source.values().get(i);
            mapped.put(
                    i,
                    switch (v.kind()) {
                        case INPUT ->
                            g.input(v.name(), v.type().shaped(open(v.type().shape())));
                        case WEIGHT -> g.weight(v.name(), share(v));
                        case STATE -> g.state(v.name(), v.type());
                        case VIEW ->
                            g.reshape(
                                    requireNonNull(mapped.get(v.root())),
                                    open(v.type().shape()));
                        case RESULT, UPDATE -> throw new AssertionError(v + " is computed");
                    });
        }
        return to;
    }

    private TensorType share(Value weight) {
        TensorType t = weight.type();
        return switch (shards.get(weight.name())) {
            case null -> t;
            case WeightShard.Experts e ->
                t.shaped(t.shape().with(0, Dim.fixed(e.held().size())));
            case WeightShard.Rows r -> t.shaped(divided(t.shape(), 0, r.shares()));
            case WeightShard.Columns c -> t.shaped(divided(t.shape(), -1, c.shares()));
        };
    }

    private static Shape divided(Shape s, int axis, int shares) {
        return s.with(axis, Dim.fixed(s.dim(axis).offset() / shares));
    }

    private static Shape open(Shape s) {
        return new Shape(s.dims().stream().map(GraphSharding::open).toList());
    }

    private static Dim open(Dim d) {
        return d.isFixed() ? d : new Dim(d.name(), d.factor(), d.offset(), 0, d.max());
    }

    private Value at(Value v) {
        return requireNonNull(mapped.get(v.id()), v::name);
    }

    private List<Value> rewrite(Node node) {
        Value[] in = node.inputs().stream().map(this::at).toArray(Value[]::new);
        return switch (node.op()) {
            case MoeDispatch d when fixed -> gather(node, in);
            case MoeDispatch d -> send(node, d, in);
            case MoeCombine c when fixed -> List.of(combineFixed(node, c, in));
            case MoeCombine c -> List.of(combine(node, c, in));
            case Gather op
            when block(node, 0) > 1 -> List.of(spread(block(node, 0), op, in[1], rows -> new Value[] {in[0], rows}));
            case Gemm op
            when block(node, 1) > 1 -> List.of(spread(block(node, 1), op, in[0], rows -> new Value[] {rows, in[1]}));
            case GroupedGemm op when block(node, 1) > 1 -> List.of(grouped(block(node, 1), op, in));
            case SparseAttention op
            when context != null -> {
                in[2] = before(context, node, 2, in[1]);
                yield g.nodes(op, in);
            }
            case Compress op
            when context != null -> {
                in[4] = before(context, node, 4, in[0]);
                in[5] = before(context, node, 5, in[1]);
                yield List.of(context.share(g.node(op, in)));
            }
            default -> g.nodes(node.op(), in);
        };
    }

    /** A ring once it holds the rows before this rank's parts; whoever uses it later uses it like that. */
    private Value before(ContextExchange context, Node node, int ring, Value rows) {
        Value filled = context.before(at(node.inputs().get(ring)), rows);
        mapped.put(node.inputs().get(ring).id(), filled);
        return filled;
    }

    /** Ranks that hold a share each of an operand, 1 if it is not spread. */
    private int block(Node node, int operand) {
        return plan.split(node.inputs().get(operand).name())
                .map(ParallelPlan.Split::block)
                .orElse(1);
    }

    /** Rows go to the ranks of their experts. Everything between dispatch and combine then works on what arrived. */
    private List<Value> send(Node node, MoeDispatch op, Value[] in) {
        List<Value> local = g.nodes(op, in);
        Dim pairs = local.get(2).type().shape().dim(0);
        long most = (long) plan.ranks() * mostPairsForOne(pairs, in[1].type());
        long bound = plan.capacity() == 0 ? most : Math.min(plan.capacity(), most);
        Dim received = Dim.named(local.get(0).name() + ".received", 0, bound);
        List<Value> there = g.nodes(new MoeSend(table, received), local.get(0), local.get(1), local.get(3));
        sent.put(node.outputs().get(2).id(), new WayBack(there.get(3), local.get(3)));
        return List.of(there.get(0), there.get(1), local.get(2), there.get(2));
    }

    /** A row chooses different experts: one rank gets it at most as often as it holds experts. */
    private long mostPairsForOne(Dim pairs, TensorType choices) {
        long k = choices.shape().dim(1).offset();
        return pairs.maximum() / k * Math.min(k, table.slots());
    }

    private Value combine(Node node, MoeCombine op, Value[] in) {
        WayBack way = requireNonNull(sent.get(node.inputs().get(1).id()));
        MoeReturn back = new MoeReturn(table, in[1].type().shape().dim(0));
        return g.node(op, g.node(back, in[0], way.counts(), way.offsets()), in[1], in[2]);
    }

    /** Every rank gets the rows of all and sorts those for its experts to the front. */
    private List<Value> gather(Node node, Value[] in) {
        Dim rows = in[0].type().shape().dim(0);
        Dim most = Dim.named(ParallelPlan.most(rows.name()), 0, rows.maximum());
        int slots = table.slots();
        List<Value> asked = g.nodes(new MoePlaces(table, rank, most), in[1]);
        List<Value> all = g.nodes(new MoeGather(plan.ranks(), most), in[0], in[2], asked.get(0));
        MoeDispatch op = new MoeDispatch(slots, rank * slots, plan.ranks() * slots);
        List<Value> here = g.nodes(op, all.get(0), all.get(2), all.get(1));
        gathered.put(node.outputs().get(2).id(), new FixedWayBack(here.get(2), asked.get(1), asked.get(2)));
        return here;
    }

    /** Rows go back in the places that their choices have, whether anybody asked or not; what was asked for is picked. */
    private Value combineFixed(Node node, MoeCombine op, Value[] in) {
        FixedWayBack way = requireNonNull(gathered.get(node.inputs().get(1).id()));
        Value back = g.node(new AllToAll(plan.ranks()), g.node(new Unsort(), in[0], way.sorted()));
        return g.node(op, g.node(new Gather(back.type().dtype()), back, way.back()), way.order(), in[2]);
    }

    private interface Operands {
        Value[] of(Value rows);
    }

    /** Every rank of a block computes its columns for the rows of all of them. */
    private Value spread(int block, Op op, Value x, Operands operands) {
        Value n = counts(block, x);
        Value all = g.node(new GatherRows(block, total(block, x)), x, n);
        Value columns = g.node(op, operands.of(all));
        return g.node(new GatherColumns(block, x.type().shape().dim(0)), columns, n);
    }

    /** Every rank of a block computes its groups for the rows of all of them, and needs only the columns of its groups. */
    private Value grouped(int block, GroupedGemm op, Value[] in) {
        Value n = counts(block, in[0]);
        Value mine = g.node(new ScatterColumns(block, total(block, in[0])), in[0], n);
        return g.node(new GatherColumns(block, in[0].type().shape().dim(0)), g.node(op, mine, in[1]), n);
    }

    private Value counts(int block, Value x) {
        Dim total = total(block, x);
        return counts.computeIfAbsent(total.name(), name -> g.node(new RowCounts(block, total), x));
    }

    /** The rows that the ranks of a block have together. */
    private static Dim total(int block, Value x) {
        Dim rows = x.type().shape().dim(0);
        return Dim.named(rows.name() + ".of" + block, 0, block * rows.max());
    }
}
