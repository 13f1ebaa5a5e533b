package dev.weft.backend.ascend.kernel;

import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.MoeCombine;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.MoePlaces;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.Unsort;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntUnaryOperator;

/**
 * Routing of rows to experts. Rows are ordered by stable sorts, so that an expert sees its rows in order; the vendor's
 * finalize operator is not used, since no document fixes the order of its sums.
 */
final class RoutingOps {
    private static final String GATING = "ops-transformer docs aclnnMoeGatingTopKV2";
    private static final String ROUTING = "ops-transformer docs aclnnMoeInitRoutingV3";

    /** Most experts of the gating operator. */
    private static final long MOST_EXPERTS = 2048;

    private static final int MOST_HASHED_CHOICES = 64;

    static final Map<Class<? extends Op>, List<Candidate>> WAYS = Map.of(
            MoeGate.class,
            List.of(
                    Way.of("aclnnMoeGatingTopKV2", RoutingOps::gating).refusing(RoutingOps::gatingForm),
                    Way.composite(RoutingOps::gate)),
            MoeDispatch.class,
            List.of(
                    Way.of("aclnnMoeInitRoutingV3", RoutingOps::initRouting).refusing(RoutingOps::routingForm),
                    Way.composite(RoutingOps::dispatch)),
            MoePlaces.class,
            List.of(Way.composite(RoutingOps::places)),
            Unsort.class,
            List.of(Way.composite(RoutingOps::unsort)),
            MoeCombine.class,
            List.of(Way.composite(RoutingOps::combine)));

    private RoutingOps() {}

    private static Optional<String> gatingForm(OpInstance op, Profile p) {
        MoeGate o = (MoeGate) op.op();
        long experts = op.inputs().getFirst().shape().last().maximum();
        if (!o.hashed()) {
            return Optional.of("which of equal scores wins and where NaN ranks is open, and the lower expert is the"
                    + " contract's (" + GATING + ")");
        }
        if (!p.is950() && o.score() == MoeGate.Score.SQRT_SOFTPLUS) {
            return Optional.of("sqrt(softplus) scores on 950 only (" + GATING + ")");
        }
        if (o.score() == MoeGate.Score.SOFTMAX) {
            return Optional.of("renormalises or not by a switch whose page and source disagree (" + GATING + ")");
        }
        if (experts > MOST_EXPERTS || o.topK() > MOST_HASHED_CHOICES) {
            return Optional.of("at most " + MOST_EXPERTS + " experts and " + MOST_HASHED_CHOICES
                    + " hashed choices, found " + experts + " and " + o.topK() + " (" + GATING + ")");
        }
        return Optional.empty();
    }

    private static void gating(OpInstance op, Emit e) {
        MoeGate o = (MoeGate) op.op();
        Calls c = new Calls(e);
        Ten logits = c.dense(e.operand(0));
        int results = op.inputs().size();
        long rows = logits.dim(0);
        Ten weights = e.temp(AclType.FLOAT, rows, o.topK());
        Ten experts = e.temp(AclType.INT32, rows, o.topK());
        e.call(
                "aclnnMoeGatingTopKV2",
                logits,
                null,
                e.operand(1),
                e.operand(2),
                o.topK(),
                1,
                1,
                0,
                0,
                o.score() == MoeGate.Score.SIGMOID ? 1 : 2,
                false,
                (double) o.routeScale(),
                0.0,
                weights,
                experts,
                e.temp(AclType.FLOAT, rows, logits.dim(1)));
        Sorted sorted = Sorted.ascending(c, experts);
        c.copy(sorted.values(), e.operand(results));
        e.call("aclnnGather", weights, -1L, sorted.order(), e.operand(results + 1));
    }

    private static void gate(OpInstance op, Emit e) {
        MoeGate o = (MoeGate) op.op();
        Calls c = new Calls(e);
        Ten logits = c.dense(e.operand(0));
        int results = op.inputs().size();
        Ten scores = switch (o.score()) {
            case SQRT_SOFTPLUS -> c.sqrt(c.softplus(logits));
            case SIGMOID -> c.sigmoid(logits);
            case SOFTMAX -> c.softmax(logits);
        };
        Ten chosen;
        if (o.hashed()) {
            chosen = e.temp(AclType.INT32, logits.dim(0), o.topK());
            c.gather(e.operand(2), e.operand(1), chosen);
        } else {
            Ten biased = c.add(scores, e.operand(1).view(1, logits.dim(1)));
            chosen = c.cast(SelectOps.descending(c, SelectOps.key(c, biased)).slice(-1, 0, o.topK()), AclType.INT32);
        }
        Sorted sorted = Sorted.ascending(c, chosen);
        c.copy(sorted.values(), e.operand(results));
        Ten weights = e.temp(AclType.FLOAT, chosen.dims());
        e.call("aclnnGather", scores, -1L, c.cast(sorted.values(), AclType.INT64), weights);
        if (o.score() != MoeGate.Score.SOFTMAX) {
            weights = c.div(weights, c.sum(weights));
        }
        c.scale(weights, Scalar.of(o.routeScale()), e.operand(results + 1));
    }

    /** Values in ascending order along the last axis, equal ones as they stood, and where each was: INT64. */
    private record Sorted(Ten values, Ten order) {
        static Sorted ascending(Calls c, Ten x) {
            Ten values = c.emit().temp(x.type(), x.dims());
            Ten order = c.emit().temp(AclType.INT64, x.dims());
            c.emit().call("aclnnSort", x, true, -1L, false, values, order);
            return new Sorted(values, order);
        }
    }

    private static Optional<String> routingForm(OpInstance op, Profile p) {
        var x = op.inputs().getFirst();
        if (((MoeDispatch) op.op()).isPart()) {
            return Optional.of("leaves out where rows of experts elsewhere are (" + ROUTING + ")");
        }
        return x.scaling().isNone()
                ? Optional.empty()
                : Optional.of("carries no 1 x 128 scales with rows quantised before (" + ROUTING + ")");
    }

    private static void initRouting(OpInstance op, Emit e) {
        long experts = ((MoeDispatch) op.op()).experts();
        Calls c = new Calls(e);
        Ten x = c.dense(e.operand(0));
        Ten chosen = c.dense(e.operand(1));
        Ten source = e.operand(5);
        Ten ends = e.temp(AclType.INT64, experts);
        e.call(
                "aclnnMoeInitRoutingV3",
                x,
                chosen,
                null,
                null,
                chosen.elements(),
                0L,
                experts,
                0L,
                0L,
                true,
                -1L,
                new long[] {0, experts},
                1L,
                e.operand(3),
                source,
                ends,
                null);
        Ten offsets = e.operand(6);
        c.copy(c.constant(AclType.INT32, 0, 1), offsets.slice(0, 0, 1));
        c.copy(c.cast(ends, AclType.INT32), offsets.slice(0, 1, experts + 1));
        rowWeights(c, c.cast(source, AclType.INT64));
    }

    private static void rowWeights(Calls c, Ten order) {
        Emit e = c.emit();
        Ten weights = c.dense(e.operand(2));
        c.gather(weights.view(weights.elements(), 1), order, e.operand(4).view(order.elements(), 1));
    }

    private static void dispatch(OpInstance op, Emit e) {
        MoeDispatch o = (MoeDispatch) op.op();
        long experts = o.experts();
        Calls c = new Calls(e);
        Ten chosen = c.dense(e.operand(1));
        long pairs = chosen.elements();
        Ten here = o.isPart() ? here(c, o, chosen) : chosen;
        Sorted sorted = Sorted.ascending(c, here.view(pairs));
        c.cast(sorted.order(), e.operand(5));
        rowWeights(c, sorted.order());
        Ten row = StepRows.quotient(c, e.operand(5), chosen.dim(1));
        copyRows(c, c.dense(e.operand(0)), row, e.operand(3));
        if (!op.inputs().getFirst().scaling().isNone()) {
            copyRows(c, e.scales(0), row, e.scales(3));
        }
        offsets(c, sorted.values(), experts, e.operand(6));
    }

    /** Numbers of experts among those here, the number of them for one elsewhere. */
    private static Ten here(Calls c, MoeDispatch o, Ten chosen) {
        Ten from = c.plus(chosen, Scalar.of(-o.first()));
        Ten none = c.constant(AclType.INT32, o.experts(), 2);
        return c.select(c.atLeast(from, Scalar.of(0)), c.clamp(from, null, Scalar.of(o.experts())), none);
    }

    /** Rows as they are: narrow floats as bytes, which every product gathers. */
    private static void copyRows(Calls c, Ten table, Ten row, Ten y) {
        boolean narrow = table.type().bits() <= 8;
        c.gather(narrow ? table.as(AclType.UINT8) : table, row, narrow ? y.as(AclType.UINT8) : y);
    }

    /** {@code offsets[e]}: how many pairs have an expert below e, for e up to their number. */
    private static void offsets(Calls c, Ten ascending, long experts, Ten offsets) {
        Emit e = c.emit();
        Ten bounds = numbers(e, "integers below " + (experts + 1), experts + 1, i -> i);
        Ten below = c.less(ascending.view(1, ascending.elements()), bounds);
        c.cast(c.sum(c.cast(below, AclType.FLOAT)).view(experts + 1), offsets);
    }

    private static void places(OpInstance op, Emit e) {
        MoePlaces o = (MoePlaces) op.op();
        Calls c = new Calls(e);
        Ten experts = c.dense(e.operand(0));
        Ten places = e.operand(1);
        long rows = experts.dim(0);
        long k = experts.dim(1);
        long most = places.dim(0);
        if (most > rows) {
            c.copy(c.constant(AclType.INT32, -1, 2), places.slice(0, rows, most));
        }
        if (rows == 0) {
            return;
        }
        long pairs = rows * k;
        int[] of = o.places();
        int slots = o.table().slots();
        Ten place = e.temp(AclType.INT32, pairs, 1);
        c.gather(numbers(e, "places of " + o, of.length, i -> of[i]), experts.view(pairs), place);
        c.copy(place.view(rows, k), places.slice(0, 0, rows));
        Ten rank = e.temp(AclType.INT32, pairs, 1);
        c.gather(numbers(e, "ranks of " + o, of.length, i -> of[i] / slots), experts.view(pairs), rank);
        long all = op.inputs().getFirst().maxElements();
        Ten pair = numbers(e, "integers below " + all, all, i -> i).view(all).slice(0, 0, pairs);
        c.add(c.scale(rank.view(pairs), Scalar.of((int) (most * k))), pair, e.operand(2));
        c.copy(pair, e.operand(3));
    }

    /** A table {@code [n, 1]}. */
    private static Ten numbers(Emit e, String id, long n, IntUnaryOperator number) {
        return e.constant(id, AclType.INT32, new long[] {n, 1}, s -> {
            for (int i = 0; i < n; i++) {
                s.setAtIndex(ValueLayout.JAVA_INT, i, number.applyAsInt(i));
            }
        });
    }

    private static void unsort(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        c.gather(c.dense(e.operand(0)), Sorted.ascending(c, e.operand(1)).order(), e.operand(2));
    }

    /** Choices of a row one after another, the shared expert last. */
    private static void combine(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        Ten y = c.dense(e.operand(0));
        Ten source = e.operand(1);
        Ten shared = e.operand(2);
        Ten out = e.operand(3);
        long rows = shared.dim(0);
        long choices = source.elements() / rows;
        Ten back = Sorted.ascending(c, source).order();
        Ten wide = c.wide(out);
        Ten sum = null;
        if (choices > 0) {
            Ten inOrder = e.temp(y.type(), y.dims());
            c.gather(y, back, inOrder);
            Ten terms = c.float32(inOrder).view(rows, choices, y.dim(1));
            for (int i = 0; i < choices; i++) {
                Ten term = terms.slice(1, i, i + 1).view(rows, y.dim(1));
                sum = sum == null ? term : c.add(sum, term);
            }
        }
        Ten last = c.float32(shared);
        if (sum == null) {
            c.copy(last, wide);
        } else {
            c.add(sum, last, wide);
        }
        c.round(wide, out);
    }
}
