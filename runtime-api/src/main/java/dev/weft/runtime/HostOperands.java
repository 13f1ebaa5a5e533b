package dev.weft.runtime;

import static java.util.Objects.requireNonNull;

import dev.weft.Shape;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.support.HostScratch;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Operands and results of one node in host memory: where they are if the device's memory is the host's, else in copies that
 * stay from step to step. What nobody asks for stays on the device, and the first who asks waits for the stream. Used by
 * one thread.
 */
final class HostOperands {
    private final BackendDevice device;
    private final List<HostScratch> copies = new ArrayList<>();
    private final BitSet written = new BitSet();
    private @Nullable DeviceStream stream;
    private @Nullable KernelArguments current;
    private int inputs;
    private boolean settled;

    HostOperands(BackendDevice device) {
        this.device = device;
    }

    /** Turns to another node, which follows what the stream holds. */
    void open(DeviceStream stream, KernelArguments of, int operands) {
        this.stream = stream;
        current = of;
        inputs = operands;
        settled = false;
        written.clear();
    }

    /** The stream of the node. */
    DeviceStream stream() {
        return requireNonNull(stream);
    }

    /** Elements of an operand with extents as bound now; of a result, room for them. */
    MemorySegment data(int i) {
        return view(i, 2 * i, arguments().address(i), dataBytes(i));
    }

    /** Scales of an operand, empty if it has none. */
    MemorySegment scales(int i) {
        return view(i, 2 * i + 1, arguments().scaleAddress(i), scaleBytes(i));
    }

    /** Brings the results that were asked for to the device, in the order of the stream. */
    void store() {
        for (int copy = written.nextSetBit(0); copy >= 0; copy = written.nextSetBit(copy + 1)) {
            int i = copy / 2;
            if (copy % 2 == 0) {
                stream().copyIn(copy(copy).bytes(dataBytes(i)), arguments().address(i));
            } else {
                stream().copyIn(copy(copy).bytes(scaleBytes(i)), arguments().scaleAddress(i));
            }
        }
    }

    /** Arguments of the node it was opened for. */
    KernelArguments arguments() {
        return requireNonNull(current);
    }

    /** Bytes of an operand's elements. */
    long dataBytes(int i) {
        return arguments().dtype(i).bytes(arguments().elements(i));
    }

    /** Bytes of an operand's scales, 0 if it has none. */
    long scaleBytes(int i) {
        return arguments().scaling(i).isNone()
                ? 0
                : Shape.elements(arguments().scaling(i).scaleDims(arguments().dims(i)));
    }

    private MemorySegment view(int i, int copy, long address, long bytes) {
        if (bytes == 0) {
            return MemorySegment.NULL;
        }
        if (!settled) {
            stream().synchronize(); // what was stored for an earlier node may lie in the same copy
            settled = true;
        }
        if (device.isHostMemory()) {
            return MemorySegment.ofAddress(address).reinterpret(bytes);
        }
        MemorySegment host = copy(copy).bytes(bytes);
        if (i < inputs) {
            device.copyOut(address, host);
        } else {
            written.set(copy);
        }
        return host;
    }

    private HostScratch copy(int index) {
        while (copies.size() <= index) {
            copies.add(new HostScratch());
        }
        return copies.get(index);
    }
}
