package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.op.ExpertGemm;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.MoeGate;
import dev.weft.op.OpInstance;
import dev.weft.op.RmsNorm;
import dev.weft.op.Softmax;
import dev.weft.op.SwiGlu;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Support;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A row computed alone has the same bits as among many. Without this, a sequence's tokens would depend on who else is in
 * the batch.
 */
public final class BatchInvariance {
    /** Rows of the large call: more than any tile that the small call could hide in. */
    private static final int ROWS = 130;

    /** Rows of calls for which devices may have other kernels than for few and for many. */
    private static final int SOME_ROWS = 70;

    private BatchInvariance() {}

    /**
     * A call of many rows.
     *
     * @param many the call
     * @param perRow operands whose first axis are the rows; every result's first axis must be
     * @param starts operands with the first rows of sequences, each of one row
     * @param offsets operands with the first rows of experts, which keep those of their rows that are there
     */
    public record Case(OpCase many, Set<Integer> perRow, Set<Integer> starts, Set<Integer> offsets) {
        Case(OpCase many, Set<Integer> perRow, Set<Integer> starts) {
            this(many, perRow, starts, Set.of());
        }

        Case(OpCase many, Set<Integer> perRow) {
            this(many, perRow, Set.of());
        }

        @Override
        public String toString() {
            return "rows alone and together: " + many;
        }
    }

    /** The cases: every format of a matrix product, and one call of each other kind of reduction or search. */
    public static List<Case> all() {
        List<Case> cases = new ArrayList<>();
        for (GemmCases.Formats f : GemmCases.formats()) {
            Operand x = Operand.of(f.x(ROWS, 256), Data.random());
            cases.add(new Case(OpCase.of(new Gemm(f.out()), x, Operand.of(f.w(33, 256), Data.random())), Set.of(0)));
            if (f.out() == DType.BF16) {
                Operand some = Operand.of(f.x(SOME_ROWS, 1184), Data.random());
                Operand deep = Operand.of(f.w(33, 1184), Data.random());
                cases.add(new Case(OpCase.of(new Gemm(f.out()), some, deep), Set.of(0)));
                if (f.isNarrow()) {
                    Operand shallow = Operand.of(f.x(SOME_ROWS, 160), Data.random());
                    Operand many = Operand.of(f.w(GemmCases.MANY_OUTPUTS, 160), Data.random());
                    cases.add(new Case(OpCase.of(new Gemm(f.out()), shallow, many), Set.of(0)));
                }
                Operand grouped = Operand.of(f.x(ROWS, 2, 160), Data.random());
                Operand w = Operand.of(f.w(2, 17, 160), Data.random());
                cases.add(new Case(OpCase.of(new GroupedGemm(f.out()), grouped, w), Set.of(0)));
            }
            Operand w = Operand.of(f.w(4, 33, 256), Data.random());
            Operand offsets = Operand.ints(new int[] {0, 9, 9, 40, ROWS}, 5);
            cases.add(new Case(OpCase.of(new ExpertGemm(f.out()), x, w, offsets), Set.of(0), Set.of(), Set.of(2)));
        }
        for (DType d : PlainCases.FLOWS) {
            Operand x = Operand.random(d, ROWS, 130);
            Operand w = Operand.random(DType.F32, 130);
            cases.add(new Case(OpCase.of(new RmsNorm(1e-6f), x, w), Set.of(0)));
            cases.add(new Case(OpCase.of(new Softmax(), x), Set.of(0)));
            cases.add(new Case(OpCase.of(new SwiGlu(10, false), x, x), Set.of(0, 1)));
            cases.add(new Case(tight(HyperCases.pre(d, ROWS, 4, 33, 20)), Set.of(0)));
        }
        Operand logits = Operand.of(TensorType.of(DType.F32, ROWS, 33), Data.uniform(-4, 4));
        MoeGate gate = new MoeGate(6, MoeGate.Score.SQRT_SOFTPLUS, false, 2.5f);
        cases.add(new Case(OpCase.of(gate, logits, Operand.random(DType.F32, 33)), Set.of(0)));
        cases.addAll(AttentionCases.alone(ROWS));
        return cases;
    }

    private static OpCase tight(OpCase c) {
        return new OpCase(
                c.op(),
                c.operands().stream().map(o -> Operand.of(o.type(), o.data())).toList(),
                false,
                c.note());
    }

    /** Runs the call, unless the device says that it promises nothing here, then its first, middle and last row alone and the first three together. */
    public static Outcome run(BackendDevice device, Case c) {
        try (Arena arena = Arena.ofConfined()) {
            OpInstance op = c.many().instance();
            if (device.supports(op) instanceof Support.Unsupported u) {
                return new Outcome.Unsupported(u.reason());
            }
            Optional<String> dependence = device.rowsDependOnOthers(op);
            if (dependence.isPresent()) {
                return new Outcome.Unsupported("not promised: " + dependence.get());
            }
            List<HostTensor> inputs = c.many().materialise(arena, OpRunner.SUITE);
            List<HostTensor> together = call(device, op, inputs, arena);
            int rows = Math.toIntExact(c.many()
                    .operands()
                    .get(c.perRow().iterator().next())
                    .type()
                    .shape()
                    .dim(0)
                    .maximum());
            int[][] parts = {{0, 1}, {rows / 2, rows / 2 + 1}, {rows - 1, rows}, {0, 3}};
            for (int[] part : parts) {
                List<HostTensor> some = new ArrayList<>(inputs);
                for (int i : c.perRow()) {
                    some.set(i, inputs.get(i).rows(part[0], part[1], arena));
                }
                for (int i : c.starts()) {
                    some.set(i, inputs.get(i).rows(0, part[1] - part[0] + 1, arena));
                }
                for (int i : c.offsets()) {
                    some.set(i, within(inputs.get(i), part[0], part[1], arena));
                }
                OpInstance small = OpInstance.of(
                        op.op(), some.stream().map(HostTensor::type).toList());
                if (device.supports(small) instanceof Support.Unsupported u) {
                    return new Outcome.Unsupported(u.reason());
                }
                List<HostTensor> alone = call(device, small, some, arena);
                for (int r = 0; r < alone.size(); r++) {
                    HostTensor expected = together.get(r).rows(part[0], part[1], arena);
                    String what = "computing rows " + part[0] + " to " + (part[1] - 1) + " without the others";
                    Comparison.identical(OpRunner.resultName(op, r), expected, alone.get(r), what);
                }
            }
            return new Outcome.Passed();
        } catch (RuntimeException e) {
            return OpRunner.failed(c.toString(), e);
        }
    }

    /** First rows counted from {@code from} on, for a call that has no others than those before {@code to}. */
    private static HostTensor within(HostTensor offsets, int from, int to, Arena arena) {
        HostTensor part = offsets.copy(arena);
        for (long e = 0; e < part.size(); e++) {
            part.set(e, Math.clamp(offsets.value(e), from, to) - from);
        }
        return part;
    }

    private static List<HostTensor> call(BackendDevice device, OpInstance op, List<HostTensor> inputs, Arena arena) {
        List<HostTensor> results = new ArrayList<>();
        for (TensorType t : op.outputs()) {
            results.add(HostTensor.poisoned(t, 0, arena));
        }
        try (DeviceCall call = new DeviceCall(device, op)) {
            call.run(inputs, results, HostTensor.POISON);
        }
        return results;
    }
}
