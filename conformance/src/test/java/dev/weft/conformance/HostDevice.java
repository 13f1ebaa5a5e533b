package dev.weft.conformance;

import dev.weft.DeviceId;
import dev.weft.DeviceLostException;
import dev.weft.op.OpInstance;
import dev.weft.reference.Reference;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceInfo;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.Support;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** The scalar reference as a device in host memory, with one fault planted. */
final class HostDevice implements BackendDevice {
    /** What goes wrong after the reference has run. */
    enum Fault {
        NONE,
        ONE_ELEMENT_ONE_PERCENT_OFF,
        WRITES_BEHIND_THE_RESULT,
        NAN_BECOMES_ZERO,
        MODIFIES_AN_INPUT,
        SECOND_RUN_DIFFERS,
        WRITES_BETWEEN_ROWS,
        READS_SCRATCH,
        FAILS_AND_IS_LOST
    }

    private static final long WORKSPACE = 64;

    private final Fault fault;
    private int runs;

    HostDevice(Fault fault) {
        this.fault = fault;
    }

    @Override
    public DeviceInfo info() {
        return new DeviceInfo(new DeviceId("host", 0, ""), "scalar reference", "reference", 0, List.of());
    }

    @Override
    public Support supports(OpInstance op) {
        return new Support.Native("reference");
    }

    @Override
    public Kernel prepare(OpInstance op) {
        return new Kernel() {
            @Override
            public String name() {
                return "reference";
            }

            @Override
            public long workspaceBytes() {
                return WORKSPACE;
            }

            @Override
            public void enqueue(DeviceStream stream, KernelArguments arguments) {
                Reference.run(op, arguments);
                misbehave(arguments, op.inputs().size());
            }
        };
    }

    private void misbehave(KernelArguments a, int result) {
        runs++;
        long last = a.elements(result) - 1;
        MemorySegment input = bytes(a.address(0), 4);
        MemorySegment y = bytes(a.address(result), 4 * (last + a.pitch(result) + 2));
        switch (fault) {
            case NONE -> {}
            case ONE_ELEMENT_ONE_PERCENT_OFF ->
                y.set(ValueLayout.JAVA_FLOAT, 0, 1.01f * y.get(ValueLayout.JAVA_FLOAT, 0));
            case WRITES_BEHIND_THE_RESULT -> y.set(ValueLayout.JAVA_BYTE, 4 * (last + 1), (byte) 0);
            case NAN_BECOMES_ZERO -> {
                for (long i = 0; i <= last; i++) {
                    if (Float.isNaN(y.getAtIndex(ValueLayout.JAVA_FLOAT, i))) {
                        y.setAtIndex(ValueLayout.JAVA_FLOAT, i, 0);
                    }
                }
            }
            case MODIFIES_AN_INPUT ->
                input.set(ValueLayout.JAVA_BYTE, 0, (byte) (input.get(ValueLayout.JAVA_BYTE, 0) ^ 1));
            case SECOND_RUN_DIFFERS -> y.set(ValueLayout.JAVA_INT, 0, y.get(ValueLayout.JAVA_INT, 0) ^ (runs & 1));
            case WRITES_BETWEEN_ROWS -> y.setAtIndex(ValueLayout.JAVA_FLOAT, a.dim(result, -1), 0);
            case READS_SCRATCH -> {
                byte scratch = bytes(a.workspace(), 1).get(ValueLayout.JAVA_BYTE, 0);
                y.set(ValueLayout.JAVA_INT, 0, y.get(ValueLayout.JAVA_INT, 0) ^ (scratch & 1));
            }
            case FAILS_AND_IS_LOST -> throw new IllegalStateException("a launch failed");
        }
    }

    private static MemorySegment bytes(long address, long size) {
        return MemorySegment.ofAddress(address).reinterpret(size);
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        Arena arena = Arena.ofShared();
        MemorySegment memory = arena.allocate(bytes, alignment);
        return new DeviceBuffer() {
            @Override
            public long address() {
                return memory.address();
            }

            @Override
            public long bytes() {
                return bytes;
            }

            @Override
            public void close() {
                arena.close();
            }
        };
    }

    @Override
    public DeviceStream createStream() {
        return new Immediate();
    }

    @Override
    public void copyIn(MemorySegment source, long target) {
        bytes(target, source.byteSize()).copyFrom(source);
    }

    @Override
    public void copyOut(long source, MemorySegment target) {
        target.copyFrom(bytes(source, target.byteSize()));
    }

    @Override
    public void zero(long address, long bytes) {
        bytes(address, bytes).fill((byte) 0);
    }

    @Override
    public void close() {}

    /** Work is done when it is enqueued. */
    private final class Immediate implements DeviceStream {
        @Override
        public void copyIn(MemorySegment source, long target) {
            HostDevice.this.copyIn(source, target);
        }

        @Override
        public void copyOut(long source, MemorySegment target) {
            HostDevice.this.copyOut(source, target);
        }

        @Override
        public void copy(long source, long sourcePitch, long target, long targetPitch, long bytes, long rows) {
            for (long i = 0; i < rows; i++) {
                bytes(target + i * targetPitch, bytes).copyFrom(bytes(source + i * sourcePitch, bytes));
            }
        }

        @Override
        public Event record() {
            return new Event() {
                @Override
                public boolean isDone() {
                    return true;
                }

                @Override
                public void synchronize() {}
            };
        }

        @Override
        public void waitFor(Event event) {}

        @Override
        public void synchronize() {}

        @Override
        public void close() {
            if (fault == Fault.FAILS_AND_IS_LOST) {
                throw new DeviceLostException("lost");
            }
        }
    }
}
