package dev.weft.backend.cpu.vector;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.spi.KernelArguments;

/** A copy of the arguments of one call, which all workers may read: the original belongs to one thread. */
final class Operands {
    private final KernelArguments arguments;
    private final long[] addresses;
    private final long[] scaleAddresses;
    private final long[] pitches;
    private final long[][] dims;

    Operands(KernelArguments arguments) {
        int count = arguments.count();
        this.arguments = arguments;
        this.addresses = new long[count];
        this.scaleAddresses = new long[count];
        this.pitches = new long[count];
        this.dims = new long[count][];
        for (int i = 0; i < count; i++) {
            addresses[i] = arguments.address(i);
            scaleAddresses[i] = arguments.scaleAddress(i);
            pitches[i] = arguments.pitch(i);
            dims[i] = arguments.dims(i);
        }
    }

    int count() {
        return addresses.length;
    }

    long address(int i) {
        return addresses[i];
    }

    long scaleAddress(int i) {
        return scaleAddresses[i];
    }

    /** Elements between consecutive indices of the first axis. */
    long pitch(int i) {
        return pitches[i];
    }

    int rank(int i) {
        return dims[i].length;
    }

    /** Extent of an axis; negative counts from the end. */
    long dim(int i, int axis) {
        return dims[i][axis < 0 ? dims[i].length + axis : axis];
    }

    DType dtype(int i) {
        return arguments.dtype(i);
    }

    Scaling scaling(int i) {
        return arguments.scaling(i);
    }
}
