package dev.weft.backend.cpu;

import dev.weft.spi.DeviceStream;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import java.util.function.Consumer;

/**
 * A kernel that a stream runs as Java code.
 *
 * @param name name for placement tables
 * @param workspaceBytes scratch bytes of a call
 * @param body computes one call on host addresses
 */
public record JavaKernel(String name, long workspaceBytes, Consumer<KernelArguments> body) implements Kernel {
    @Override
    public void enqueue(DeviceStream stream, KernelArguments arguments) {
        CpuStream.of(stream).append(this, arguments);
    }
}
