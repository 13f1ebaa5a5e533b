package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import java.util.List;

/**
 * Where the chosen experts are, and where their outputs will be: the first step of the fixed layout of dispatch, in which every
 * rank has room for {@code most} rows of every other and no count visits a host.
 *
 * <p>experts I32 {@code [R, k]} in {@code [0, table.experts())}, {@code R <= most}. Results: places I32 {@code [most, k]},
 * {@code places[i, c] = rank * slots + slot}, the slot on the rank that this one asks for the expert, and -1 in rows from R on,
 * which hold nothing; back I32 {@code [R*k]}, {@code back[i*k + c] = (rank * most + i) * k + c}, the row of that output once
 * {@link AllToAll} has brought {@link Unsort}'s rows back; source I32 {@code [R*k]}, {@code source[p] = p}, for
 * {@link MoeCombine} of rows in this order. Exact. Source: distributed.md 5.
 *
 * @param table which rank holds which experts
 * @param rank this rank
 * @param most rows for which every rank has room, equal on all ranks
 */
public record MoePlaces(ExpertTable table, int rank, Dim most) implements Op {
    public MoePlaces {
        Rules.attribute(
                0 <= rank && rank < table.size(), "moePlaces", "rank must be one of the table's: found " + rank);
    }

    @Override
    public List<String> operands() {
        return List.of("experts");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 2).dtype(0, DType.I32);
        long k = r.extent(0, 1);
        long returned = table.size() * most.maximum() * k;
        r.require(0, returned <= Integer.MAX_VALUE, "rows must fit 32-bit numbers: found up to " + returned);
        TensorType pairs = TensorType.of(DType.I32, Shape.of(r.dim(0, 0).times(k)));
        return List.of(TensorType.of(DType.I32, Shape.of(most, Dim.fixed(k))), pairs, pairs);
    }

    /** By expert: the place that this rank asks. */
    public int[] places() {
        int[] places = new int[table.experts()];
        for (int e = 0; e < places.length; e++) {
            int holder = table.rankOf(e, rank);
            places[e] = holder * table.slots() + table.ranks().get(holder).indexOf(e);
        }
        return places;
    }

    @Override
    public double flops(List<TensorType> in) {
        return 0;
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}
