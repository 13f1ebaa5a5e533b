package dev.weft.runtime;

import dev.weft.runtime.CompiledGraph.Step;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Fills what a kernel must not read with bytes that are NaN in every float format. */
final class Poison {
    private Poison() {}

    static void fill(
            CompiledGraph compiled, Step step, DeviceStream stream, KernelArguments args, DeviceBuffer memory) {
        long workspace = step.kernel() == null ? 0 : step.kernel().workspaceBytes();
        fill(stream, args.workspace(), workspace);
        int inputs = step.node().inputs().size();
        for (int i = 0; i < step.node().outputs().size(); i++) {
            if (step.node().op().updates(i) < 0) {
                var v = step.node().outputs().get(i);
                fill(stream, args.address(inputs + i), MemoryPlan.storageBytes(v.type()));
            }
        }
    }

    private static void fill(DeviceStream stream, long address, long bytes) {
        if (bytes == 0) {
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment poison = arena.allocate(bytes, 64);
            poison.fill((byte) 0xFF);
            stream.copyIn(poison, address);
            stream.synchronize();
        }
    }
}
