package dev.weft.backend.ascend;

import dev.weft.backend.ascend.abi.AclType;
import dev.weft.backend.ascend.kernel.Candidate;
import dev.weft.backend.ascend.kernel.Profile;
import dev.weft.backend.ascend.kernel.Ten;
import dev.weft.op.OpInstance;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.OptionalInt;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** An operator instance and the candidate that runs it. */
final class AscendKernel implements Kernel {
    private final AscendDevice device;
    private final Profile profile;
    private final OpInstance op;
    private final Candidate candidate;
    private final long scratchBytes;

    /** Measures scratch at the largest extents and makes the tables; on the device's thread. */
    AscendKernel(AscendDevice device, Profile profile, OpInstance op, Candidate candidate) {
        this.device = device;
        this.profile = profile;
        this.op = op;
        this.candidate = candidate;
        this.scratchBytes = measure();
    }

    private long measure() {
        try (Arena arena = Arena.ofConfined()) {
            return scratch(Emission.nowhere(op, arena));
        }
    }

    /** Scratch of a run with these extents and pitches; makes the tables. */
    private long scratch(KernelArguments arguments) {
        Emission.Target tablesOnly = new Emission.Target() {
            @Override
            public void call(String function, Object[] values) {}

            @Override
            public Ten constant(String id, AclType type, long[] dims, Consumer<MemorySegment> fill) {
                return device.constants().of(id, type, dims, fill);
            }
        };
        Emission pass =
                new Emission(profile, device.sizeRule(), arguments, Emission.NOWHERE, Long.MAX_VALUE >> 1, tablesOnly);
        candidate.emit(op, pass);
        return pass.scratchBytes();
    }

    @Override
    public String name() {
        return Kernels.name(candidate, op);
    }

    @Override
    public long workspaceBytes() {
        return scratchBytes;
    }

    @Override
    public OptionalInt launches(KernelArguments arguments) {
        StepValues shared = new StepValues(Emission::noMemory, device.sizeRule());
        Emission.Target counting = new Emission.Target() {
            @Override
            public void call(String function, Object[] values) {}

            @Override
            public StepValues shared() {
                return shared;
            }

            @Override
            public Ten constant(String id, AclType type, long[] dims, Consumer<MemorySegment> fill) {
                return Ten.dense(Emission.NOWHERE, type, dims);
            }
        };
        Emission pass = new Emission(
                profile, device.sizeRule(), arguments, Emission.NOWHERE, Emission.FAR - Emission.NOWHERE, counting);
        candidate.emit(op, pass);
        return OptionalInt.of(pass.launches());
    }

    @Override
    public void enqueue(DeviceStream stream, KernelArguments arguments) {
        AscendStream s = AscendStream.of(stream, device);
        s.append(() -> launch(
                arguments,
                s.workspace(),
                null,
                (function, values) -> device.caller().launch(function, values, s, s.workspace())));
    }

    /** Makes the calls of a kernel. */
    interface Caller {
        void call(String function, Object[] arguments);
    }

    /**
     * Emits the calls of one run; on the device's thread.
     *
     * @param workspace for operands that the planned scratch does not foresee
     * @param shared values of the step that the kernel runs in, null if it runs alone
     * @param caller makes the calls
     */
    void launch(KernelArguments arguments, Workspace workspace, @Nullable StepValues shared, Caller caller) {
        Emission.Target running = new Emission.Target() {
            @Override
            public void call(String function, Object[] values) {
                caller.call(function, values);
            }

            @Override
            public @Nullable StepValues shared() {
                return shared;
            }

            @Override
            public Ten constant(String id, AclType type, long[] dims, Consumer<MemorySegment> fill) {
                return device.constants().of(id, type, dims, fill);
            }
        };
        // the plan knows dense operands; copies of strided ones, which no graph has, take what they need
        long needed = isDense(arguments) ? scratchBytes : scratch(arguments);
        boolean planned = needed <= scratchBytes;
        long base = planned ? arguments.workspace() : workspace.spill(needed);
        candidate.emit(
                op, new Emission(profile, device.sizeRule(), arguments, base, Math.max(needed, scratchBytes), running));
        if (shared != null) {
            forget(shared, arguments);
        }
    }

    private void forget(StepValues shared, KernelArguments arguments) {
        for (int i = op.inputs().size(); i < arguments.count(); i++) {
            long rows = arguments.rank(i) == 0 ? 1 : arguments.dim(i, 0);
            long elements = arguments.rank(i) == 0 ? 1 : rows * arguments.pitch(i);
            shared.written(arguments.address(i), arguments.dtype(i).bytes(elements));
        }
    }

    /** Whether the planned scratch suffices; else calls have addresses that the next run may not have. */
    static boolean isDense(KernelArguments arguments) {
        for (int i = 0; i < arguments.count(); i++) {
            long inner = 1;
            for (int a = 1; a < arguments.rank(i); a++) {
                inner *= arguments.dim(i, a);
            }
            if (arguments.rank(i) > 0 && arguments.pitch(i) != inner) {
                return false;
            }
        }
        return true;
    }

    @Override
    public String toString() {
        return name();
    }
}
