package dev.weft.runtime;

import dev.weft.reference.Reference;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Runs a node on the host by its reference kernel: waits, copies operands out, computes, copies results in. */
final class HostFallback {
    private HostFallback() {}

    static void run(BackendDevice device, DeviceStream stream, Step step, KernelArguments args) {
        stream.synchronize();
        int inputs = step.node().inputs().size();
        try (Arena arena = Arena.ofConfined()) {
            KernelArguments host = new KernelArguments(step.node().instance().all(), arena);
            MemorySegment[] data = new MemorySegment[args.count()];
            for (int i = 0; i < args.count(); i++) {
                host.extents(i, args.dims(i));
                int updated = i < inputs ? -1 : step.node().op().updates(i - inputs);
                if (updated >= 0) {
                    data[i] = data[updated];
                    host.bind(i, host.address(updated), host.scaleAddress(updated));
                    continue;
                }
                data[i] = arena.allocate(Math.max(1, MemoryPlan.storageBytes(args.type(i))), 64);
                long scales = data[i].address() + MemoryPlan.scaleOffset(args.type(i));
                host.bind(i, data[i].address(), args.scaleAddress(i) == 0 ? 0 : scales);
                if (i < inputs) {
                    transfer(device, args, i, data[i], false);
                }
            }
            Reference.run(step.node().instance(), host);
            for (int i = inputs; i < args.count(); i++) {
                transfer(device, args, i, data[i], true);
            }
        }
    }

    private static void transfer(BackendDevice device, KernelArguments args, int i, MemorySegment host, boolean in) {
        long bytes = args.dtype(i).bytes(args.elements(i));
        move(device, args.address(i), host.asSlice(0, bytes), in);
        if (args.scaleAddress(i) != 0) {
            long at = MemoryPlan.scaleOffset(args.type(i));
            long scales = dev.weft.Shape.elements(args.scaling(i).scaleDims(args.dims(i)));
            move(device, args.scaleAddress(i), host.asSlice(at, scales), in);
        }
    }

    private static void move(BackendDevice device, long address, MemorySegment host, boolean in) {
        if (host.byteSize() == 0) {
            return;
        }
        if (in) {
            device.copyIn(host, address);
        } else {
            device.copyOut(address, host);
        }
    }
}
