package dev.weft.backend.cuda.kernel;

import dev.weft.op.OpInstance;
import dev.weft.spi.KernelArguments;

/** Where a {@link Way} writes the launches of one call. */
public interface Emit {
    /** The instance. */
    OpInstance op();

    /** Operands and results of this call. */
    KernelArguments arguments();

    /** The device. */
    Chip chip();

    /**
     * Whether the image of a module that is loaded is one for exactly this chip. Others, and PTX, lack what no other chip has,
     * such as products of warpgroups, whatever the device could do.
     */
    boolean hasOwnFeatures(String module);

    /**
     * Appends a launch; an empty grid launches nothing.
     *
     * @param module file of {@code native/cuda/kernels} without its ending
     * @param function name of the kernel
     * @param grid blocks
     * @param threads threads of a block
     * @param sharedBytes dynamic shared memory of a block
     * @param words what the kernel finds in {@code call.attribute} behind the attributes of the way
     */
    void launch(String module, String function, Grid grid, int threads, int sharedBytes, long... words);

    /** Appends work of another library. */
    void call(StreamCall call);
}
