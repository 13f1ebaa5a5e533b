package dev.weft.conformance.toy;

import dev.weft.Shape;
import dev.weft.conformance.toy.ToyFaults.Mistake;
import dev.weft.op.OpInstance;
import dev.weft.reference.Reference;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/** Computes on host copies of the operands with the reference kernel, and copies the results back. */
final class ToyKernel implements Kernel {
    private static final long WORKSPACE = 512;

    /** Where an operand was when the kernel was launched; the caller may change its arguments afterwards. */
    private record Operand(long address, long scaleAddress, long pitch, long[] dims) {
        /** Elements from the first to the last one, gaps between rows included. */
        long span() {
            if (Shape.elements(dims) == 0) {
                return 0;
            }
            return dims.length == 0 ? 1 : (dims[0] - 1) * pitch + Shape.elements(dims) / dims[0];
        }
    }

    private final ToyDevice device;
    private final OpInstance op;
    private final Optional<TransposedPacking> packedWeight;
    private final int inputs;

    ToyKernel(ToyDevice device, OpInstance op, Optional<TransposedPacking> packedWeight) {
        this.device = device;
        this.op = op;
        this.packedWeight = packedWeight;
        this.inputs = op.inputs().size();
    }

    static String name(OpInstance op) {
        return op.op().name() + "/toy";
    }

    @Override
    public String name() {
        return name(op);
    }

    @Override
    public long workspaceBytes() {
        return WORKSPACE;
    }

    @Override
    public void enqueue(DeviceStream stream, KernelArguments args) {
        if (!(stream instanceof ToyStream toy) || toy.device() != device) {
            throw new ToyAccessException(name() + ": enqueued on a stream of another device");
        }
        Operand[] operands = new Operand[args.count()];
        for (int i = 0; i < operands.length; i++) {
            operands[i] = new Operand(args.address(i), args.scaleAddress(i), args.pitch(i), args.dims(i));
        }
        long workspace = args.workspace();
        boolean fails = device.faults().launchFails();
        toy.launch(name(), () -> {
            if (fails) {
                throw new IllegalStateException("injected launch failure");
            }
            run(operands, workspace);
        });
    }

    private void run(Operand[] operands, long workspace) {
        aligned("workspace", workspace);
        MemorySegment scratch = device.memory().bytes(workspace, WORKSPACE);
        float unwritten = scratch.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0);
        scratch.fill((byte) 0);
        try (Arena arena = Arena.ofConfined()) {
            KernelArguments host = new KernelArguments(op.all(), arena);
            MemorySegment[] data = new MemorySegment[operands.length];
            MemorySegment[] scales = new MemorySegment[operands.length];
            for (int i = 0; i < operands.length; i++) {
                Operand o = operands[i];
                host.extents(i, o.dims());
                host.pitch(i, o.pitch());
                int updated = i < inputs ? -1 : op.op().updates(i - inputs);
                if (updated >= 0) {
                    data[i] = data[updated];
                    scales[i] = scales[updated];
                } else {
                    data[i] = arena.allocate(Math.max(1, host.dtype(i).bytes(o.span())), 64)
                            .asSlice(0, host.dtype(i).bytes(o.span()));
                    scales[i] =
                            arena.allocate(Math.max(1, scaleBytes(host, i)), 64).asSlice(0, scaleBytes(host, i));
                    fetch(i, o, data[i], scales[i]);
                }
                host.bind(i, data[i].address(), scales[i].byteSize() == 0 ? 0 : scales[i].address());
            }
            Reference.run(op, host);
            misbehave(operands[inputs], data[inputs], unwritten);
            for (int i = inputs; i < operands.length; i++) {
                device.memory().bytes(operands[i].address(), data[i].byteSize()).copyFrom(data[i]);
                if (scales[i].byteSize() > 0) {
                    device.memory()
                            .bytes(operands[i].scaleAddress(), scales[i].byteSize())
                            .copyFrom(scales[i]);
                }
            }
        }
    }

    private static long scaleBytes(KernelArguments host, int i) {
        return host.scaling(i).isNone() ? 0 : Shape.elements(host.scaling(i).scaleDims(host.dims(i)));
    }

    private void fetch(int i, Operand o, MemorySegment data, MemorySegment scale) {
        if (data.byteSize() == 0) {
            return;
        }
        if (i == 1 && packedWeight.isPresent()) {
            aligned("packed weight", o.address());
            TransposedPacking packing = packedWeight.get();
            packing.unpack(device.memory().bytes(o.address(), packing.bytes()), data, scale);
            return;
        }
        data.copyFrom(device.memory().bytes(o.address(), data.byteSize()));
        if (scale.byteSize() > 0) {
            scale.copyFrom(device.memory().bytes(o.scaleAddress(), scale.byteSize()));
        }
    }

    private void aligned(String what, long address) {
        if (address % ToyMemory.ALIGNMENT != 0) {
            throw new ToyAccessException(name() + ": " + what + " at 0x" + Long.toHexString(address)
                    + ": expected a multiple of " + ToyMemory.ALIGNMENT);
        }
    }

    private void misbehave(Operand result, MemorySegment data, float unwritten) {
        String operator = op.op().name();
        ToyFaults faults = device.faults();
        if (data.byteSize() == 0) {
            return;
        }
        if (faults.makes(Mistake.WRONG_ELEMENT, operator)) {
            long last = data.byteSize() - 1;
            data.set(ValueLayout.JAVA_BYTE, last, (byte) (data.get(ValueLayout.JAVA_BYTE, last) ^ 0x40));
        }
        if (faults.makes(Mistake.READS_UNWRITTEN, operator)) {
            float value = data.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0);
            data.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 0, value + unwritten);
        }
        if (faults.makes(Mistake.WRITES_PAST_END, operator)) {
            device.memory().overrun(result.address());
        }
    }
}
