package dev.weft.runtime;

import static java.util.Objects.requireNonNull;

import dev.weft.Shape;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.support.HostScratch;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Operands and results of one node in host memory: where they are if the device's memory is the host's, else in copies that
 * stay from step to step. Used by one thread.
 */
final class HostOperands {
    private final BackendDevice device;
    private final List<HostScratch> copies = new ArrayList<>();
    private @Nullable KernelArguments current;
    private int inputs;

    HostOperands(BackendDevice device) {
        this.device = device;
    }

    /** Turns to another node. */
    void open(KernelArguments of, int operands) {
        current = of;
        inputs = operands;
    }

    /** Elements of an operand with extents as bound now; of a result, room for them. */
    MemorySegment data(int i) {
        return view(i, 2 * i, arguments().address(i), dataBytes(i));
    }

    /** Scales of an operand, empty if it has none. */
    MemorySegment scales(int i) {
        return view(i, 2 * i + 1, arguments().scaleAddress(i), scaleBytes(i));
    }

    /** Brings results to the device. */
    void store() {
        if (device.isHostMemory()) {
            return;
        }
        for (int i = inputs; i < arguments().count(); i++) {
            store(2 * i, arguments().address(i), dataBytes(i));
            store(2 * i + 1, arguments().scaleAddress(i), scaleBytes(i));
        }
    }

    /** Arguments of the node it was opened for. */
    KernelArguments arguments() {
        return requireNonNull(current);
    }

    private long dataBytes(int i) {
        return arguments().dtype(i).bytes(arguments().elements(i));
    }

    private long scaleBytes(int i) {
        return arguments().scaling(i).isNone()
                ? 0
                : Shape.elements(arguments().scaling(i).scaleDims(arguments().dims(i)));
    }

    private MemorySegment view(int i, int copy, long address, long bytes) {
        if (bytes == 0) {
            return MemorySegment.NULL;
        }
        if (device.isHostMemory()) {
            return MemorySegment.ofAddress(address).reinterpret(bytes);
        }
        MemorySegment host = copy(copy).bytes(bytes);
        if (i < inputs) {
            device.copyOut(address, host);
        }
        return host;
    }

    private void store(int copy, long address, long bytes) {
        if (bytes > 0) {
            device.copyIn(copy(copy).bytes(bytes), address);
        }
    }

    private HostScratch copy(int index) {
        while (copies.size() <= index) {
            copies.add(new HostScratch());
        }
        return copies.get(index);
    }
}
