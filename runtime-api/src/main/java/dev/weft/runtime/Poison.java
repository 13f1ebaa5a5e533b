package dev.weft.runtime;

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
        for (int i = 0; i < step.operands().size(); i++) {
            Step.Operand o = step.operands().get(i);
            if (o.isResult() && !o.isInner() && !o.value().isState()) {
                fill(stream, args.address(i), MemoryPlan.storageBytes(o.value().type()));
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
