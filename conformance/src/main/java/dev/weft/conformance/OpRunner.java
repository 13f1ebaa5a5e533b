package dev.weft.conformance;

import dev.weft.DeviceLostException;
import dev.weft.op.LightningIndex;
import dev.weft.op.OpInstance;
import dev.weft.op.Tolerance;
import dev.weft.reference.Reference;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.Support;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Runs a case on a device and on the scalar reference and compares. The device runs it twice, with scratch memory that
 * holds other bytes, and must give the same bits.
 */
public final class OpRunner {
    /** The seed whose contents are those of the suite, the same at every run. */
    public static final long SUITE = 0;

    private OpRunner() {}

    /** {@link #run(BackendDevice, OpCase, long)} with the contents of the suite. */
    public static Outcome run(BackendDevice device, OpCase c) {
        return run(device, c, SUITE);
    }

    /**
     * Runs one case.
     *
     * @param seed of the contents of its operands, as far as they are random; the message of a failure names it unless it is
     *     {@link #SUITE}
     * @return the outcome: exceptions of the device are failures of the case, except that a lost device is thrown on
     */
    public static Outcome run(BackendDevice device, OpCase c, long seed) {
        OpInstance op = c.instance();
        if (device.supports(op) instanceof Support.Unsupported u) {
            return new Outcome.Unsupported(u.reason());
        }
        try (Arena arena = Arena.ofConfined();
                DeviceCall call = new DeviceCall(device, op)) {
            List<HostTensor> inputs = c.materialise(arena, seed);
            List<HostTensor> expected = results(c, inputs, arena);
            reference(op, inputs, expected, arena);
            List<HostTensor> found = results(c, inputs, arena);
            call.run(inputs, found, HostTensor.POISON);
            compare(op, inputs, expected, found);
            List<HostTensor> again = results(c, inputs, arena);
            call.run(inputs, again, (byte) 0);
            for (int i = 0; i < found.size(); i++) {
                Comparison.identical(resultName(op, i), found.get(i), again.get(i), "a second run");
            }
            return new Outcome.Passed();
        } catch (RuntimeException e) {
            return failed(name(c, seed), e);
        }
    }

    /**
     * The outcome of a case that ended so. A loss is thrown on, also if it came while something else was under way: the next
     * case would fail by it.
     */
    static Outcome failed(String name, RuntimeException e) {
        if (e instanceof DeviceLostException) {
            throw e;
        }
        for (Throwable suppressed : e.getSuppressed()) {
            if (suppressed instanceof DeviceLostException loss) {
                throw loss;
            }
        }
        return new Outcome.Failed(name + ": " + (e instanceof Mismatch ? e.getMessage() : "threw " + e));
    }

    /** How messages name a case with operands of some seed. */
    public static String name(OpCase c, long seed) {
        return seed == SUITE ? c.toString() : "seed " + seed + ", " + c;
    }

    /** Results before a run: poison, or the state that is updated. */
    static List<HostTensor> results(OpCase c, List<HostTensor> inputs, Arena arena) {
        OpInstance op = c.instance();
        List<HostTensor> results = new ArrayList<>();
        for (int i = 0; i < op.outputs().size(); i++) {
            int updated = c.op().updates(i);
            results.add(
                    updated >= 0
                            ? inputs.get(updated).copy(arena)
                            : HostTensor.poisoned(op.outputs().get(i), c.resultGap(i), arena));
        }
        return results;
    }

    private static void reference(OpInstance op, List<HostTensor> inputs, List<HostTensor> results, Arena arena) {
        KernelArguments args = new KernelArguments(op.all(), arena);
        List<HostTensor> all = new ArrayList<>(inputs);
        for (int i = 0; i < results.size(); i++) {
            if (op.op().updates(i) >= 0) {
                all.set(op.op().updates(i), results.get(i));
            }
        }
        all.addAll(results);
        for (int i = 0; i < all.size(); i++) {
            HostTensor t = all.get(i);
            args.extents(i, t.dims());
            args.pitch(i, t.pitch());
            args.bind(
                    i,
                    t.data().address(),
                    t.type().scaling().isNone() ? 0 : t.scales().address());
        }
        Reference.run(op, args);
    }

    private static void compare(
            OpInstance op, List<HostTensor> inputs, List<HostTensor> expected, List<HostTensor> found) {
        if (op.op() instanceof LightningIndex index) {
            PickComparison.check(index, inputs, expected.getFirst(), found.getFirst());
            return;
        }
        for (int i = 0; i < expected.size(); i++) {
            int updated = op.op().updates(i);
            Comparison c = new Comparison(resultName(op, i), expected.get(i), found.get(i), tolerance(op, i));
            if (updated >= 0) {
                c.checkUpdate(inputs.get(updated));
            } else {
                c.check();
            }
        }
    }

    /**
     * What of the contract the results of a call break.
     *
     * @param inputs operands before the call
     * @param expected the reference's results
     * @param found the results to be judged
     * @return the first broken rule with coordinate, found, expected and limit; empty if there is none
     */
    public static Optional<String> violation(
            OpInstance op, List<HostTensor> inputs, List<HostTensor> expected, List<HostTensor> found) {
        try {
            compare(op, inputs, expected, found);
            return Optional.empty();
        } catch (Mismatch m) {
            return Optional.of(m.getMessage());
        }
    }

    /** Name of result {@code i} for people. */
    public static String resultName(OpInstance op, int i) {
        int updated = op.op().updates(i);
        return "result " + i + (updated < 0 ? "" : " (" + op.op().operands().get(updated) + " updated)");
    }

    /**
     * Limits of result {@code i}. An operator states those of its first result; what follows a float result that is
     * exact is exact too, anything else goes by its own format.
     */
    public static Tolerance tolerance(OpInstance op, int i) {
        Tolerance first = op.op().tolerance(op.inputs());
        boolean decided = op.outputs().getFirst().dtype().isFloat() && first.isExact();
        return i == 0 || decided ? first : Tolerance.of(op.outputs().get(i).dtype());
    }
}
