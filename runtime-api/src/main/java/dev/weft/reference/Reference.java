package dev.weft.reference;

import dev.weft.UnsupportedOpException;
import dev.weft.op.Add;
import dev.weft.op.AllGather;
import dev.weft.op.AllReduce;
import dev.weft.op.AllToAll;
import dev.weft.op.AllToAllV;
import dev.weft.op.Broadcast;
import dev.weft.op.Cast;
import dev.weft.op.Collective;
import dev.weft.op.Compress;
import dev.weft.op.Concat;
import dev.weft.op.Dequantize;
import dev.weft.op.Expand;
import dev.weft.op.ExpertGemm;
import dev.weft.op.FakeQuantize;
import dev.weft.op.Gather;
import dev.weft.op.GatherColumns;
import dev.weft.op.GatherRows;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Hadamard;
import dev.weft.op.HeadNorm;
import dev.weft.op.HyperHead;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.op.LightningIndex;
import dev.weft.op.MoeCombine;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.MoeGather;
import dev.weft.op.MoePlaces;
import dev.weft.op.MoeReturn;
import dev.weft.op.MoeSend;
import dev.weft.op.Mul;
import dev.weft.op.NewtonSchulz;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.Quantize;
import dev.weft.op.ReduceScatter;
import dev.weft.op.RingWrite;
import dev.weft.op.RmsNorm;
import dev.weft.op.Rotary;
import dev.weft.op.RowCounts;
import dev.weft.op.Sample;
import dev.weft.op.Scale;
import dev.weft.op.ScatterColumns;
import dev.weft.op.Slice;
import dev.weft.op.Softmax;
import dev.weft.op.SparseAttention;
import dev.weft.op.SwiGlu;
import dev.weft.op.TopK;
import dev.weft.op.Unsort;
import dev.weft.spi.KernelArguments;
import java.util.Optional;

/**
 * Runs any operator on host memory by its reference kernel. The switch is exhaustive over the sealed {@link Op}: an
 * operator without a reference does not compile.
 */
public final class Reference {
    private Reference() {}

    /**
     * Runs one call. Operands that a result updates in place are written through; the result must be bound to the same
     * address.
     *
     * @param op the operator; its types may have named axes, the extents are those of the arguments
     * @param arguments host addresses, extents and pitches of operands and results
     * @throws UnsupportedOpException for a collective of more than one rank
     */
    public static void run(OpInstance op, KernelArguments arguments) {
        unsupported(op).ifPresent(reason -> {
            throw new UnsupportedOpException(op.op().name() + ": " + reason);
        });
        HostOperand[] o = new HostOperand[arguments.count()];
        for (int i = 0; i < o.length; i++) {
            o[i] = HostOperand.of(arguments, i);
        }
        run(op.op(), o);
    }

    /** Why the reference cannot run an instance; empty if it can. It is one rank, so collectives of more have no peers. */
    public static Optional<String> unsupported(OpInstance op) {
        int ranks = op.op() instanceof Collective c ? c.ranks() : 1;
        return ranks == 1
                ? Optional.empty()
                : Optional.of("the reference is a single rank: found " + ranks + " ranks; compile with a group");
    }

    private static void run(Op op, HostOperand[] o) {
        switch (op) {
            case Gather _ -> PlainReference.gather(o[0], o[1], o[2]);
            case Expand e -> PlainReference.expand(e, o[0], o[1]);
            case Add _ -> PlainReference.add(o[0], o[1], o[2]);
            case Mul _ -> PlainReference.mul(o[0], o[1], o[2]);
            case Scale s -> PlainReference.scale(s, o[0], o[1]);
            case Cast _ -> PlainReference.cast(o[0], o[1]);
            case Concat _ -> PlainReference.concat(o[0], o[1], o[2]);
            case Slice s -> PlainReference.slice(s, o[0], o[1]);
            case Softmax _ -> SelectReference.softmax(o[0], o[1]);
            case TopK t -> SelectReference.topK(t, o[0], o[1], o[2]);
            case Sample _ -> SelectReference.sample(o[0], o[1], o[2], o[3], o[4]);
            case RmsNorm n -> NormReference.rmsNorm(n, o[0], o[1], o[2]);
            case HeadNorm n -> NormReference.headNorm(n, o[0], o[1]);
            case Hadamard _ -> NormReference.hadamard(o[0], o[1]);
            case Rotary r -> RotaryReference.rotary(r, o[0], o[1], o[2]);
            case Quantize _ -> QuantReference.quantize(o[0], o[1]);
            case Dequantize _ -> QuantReference.dequantize(o[0], o[1]);
            case FakeQuantize f -> QuantReference.fakeQuantize(f, o[0], o[1]);
            case Gemm _ -> GemmReference.gemm(o[0], o[1], o[2]);
            case GroupedGemm _ -> GemmReference.grouped(o[0], o[1], o[2]);
            case ExpertGemm _ -> GemmReference.experts(o[0], o[1], o[2], o[3]);
            case SparseAttention a -> AttentionReference.sparseAttention(a, o);
            case RingWrite _ -> AttentionReference.ringWrite(o[0], o[1], o[2], o[3], o[4]);
            case Compress c -> CompressReference.compress(c, o);
            case LightningIndex l -> IndexReference.lightningIndex(l, o[0], o[1], o[2], o[3], o[4], o[5], o[6]);
            case MoeGate g -> MoeReference.gate(g, o);
            case MoeDispatch d -> MoeReference.dispatch(d, o);
            case SwiGlu s -> MoeReference.swiGlu(s, o);
            case MoePlaces p -> MoeReference.places(p, o[0], o[1], o[2], o[3]);
            case Unsort _ -> MoeReference.unsort(o[0], o[1], o[2]);
            case MoeCombine _ -> MoeReference.combine(o[0], o[1], o[2], o[3]);
            case HyperPre h -> HyperReference.pre(h, o);
            case HyperPost _ -> HyperReference.post(o[0], o[1], o[2], o[3], o[4]);
            case HyperHead h -> HyperReference.head(h, o);
            case NewtonSchulz n -> NewtonSchulzReference.orthogonalise(n, o[0], o[1]);
            case AllReduce _ -> PlainReference.copy(o[0], o[1]);
            case AllGather _ -> PlainReference.copy(o[0], o[1]);
            case ReduceScatter _ -> PlainReference.copy(o[0], o[1]);
            case Broadcast _ -> PlainReference.copy(o[0], o[1]);
            case AllToAll _ -> PlainReference.copy(o[0], o[1]);
            case AllToAllV _ -> PlainReference.copy(o[0], o[2]);
            case MoeGather _ -> MoeReference.gather(o);
            case MoeSend _ -> MoeReference.send(o);
            case MoeReturn _ -> PlainReference.copy(o[0], o[3]);
            case RowCounts _ -> o[1].setLongs(0, o[0].dim(0));
            case GatherRows _ -> PlainReference.copy(o[0], o[2]);
            case ScatterColumns _ -> PlainReference.copy(o[0], o[2]);
            case GatherColumns _ -> PlainReference.copy(o[0], o[2]);
        }
    }
}
