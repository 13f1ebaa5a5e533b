package dev.weft.conformance.toy;

import dev.weft.spi.DeviceStream;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.NodeGroup;
import dev.weft.spi.support.MemberArguments;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.stream.Collectors;

/** Computes the members of a group one after another. */
final class ToyGroup implements Kernel {
    private final List<Kernel> kernels;
    private final MemberArguments arguments;

    ToyGroup(ToyDevice device, NodeGroup group) {
        this.kernels =
                group.members().stream().map(m -> device.prepare(m.instance())).toList();
        this.arguments = new MemberArguments(
                group, kernels.stream().map(Kernel::workspaceBytes).toList());
    }

    @Override
    public String name() {
        return kernels.stream().map(Kernel::name).collect(Collectors.joining("+"));
    }

    @Override
    public long workspaceBytes() {
        return arguments.bytes();
    }

    @Override
    public void enqueue(DeviceStream stream, KernelArguments call) {
        try (Arena arena = Arena.ofConfined()) {
            for (int i = 0; i < kernels.size(); i++) {
                kernels.get(i).enqueue(stream, arguments.of(i, call, arena));
            }
        }
    }
}
