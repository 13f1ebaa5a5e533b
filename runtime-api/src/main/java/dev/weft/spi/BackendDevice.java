package dev.weft.spi;

import dev.weft.op.OpInstance;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * One opened device. Thread-safe unless a method says otherwise.
 *
 * <p>Optional abilities are further interfaces the class may implement: {@link WeightLayout}, {@link StateLayout},
 * {@link Capturing}, {@link Fusing}, {@link MeasuredLimits}. After a failure that leaves the device unusable every method but {@link #close} throws {@link dev.weft.DeviceLostException} with the first
 * cause.
 */
public interface BackendDevice extends AutoCloseable {
    /** What the device is. */
    DeviceInfo info();

    /** Which kernels compute, for reports: an instruction-set level or an architecture; empty if there is one kind only. */
    default String level() {
        return "";
    }

    /** Host threads that a kernel uses, 0 if kernels run elsewhere. */
    default int threads() {
        return 0;
    }

    /** Whether and how the device can run the instance. Shapes may have named axes; the answer holds for all bounds. */
    Support supports(OpInstance op);

    /** Kernel for a supported instance. Chooses its configuration and may allocate descriptors. */
    Kernel prepare(OpInstance op);

    /**
     * Why the bits of a row may depend on the rows that are computed with it; empty, as everywhere but on devices that say so, if
     * they do not, or for an instance that the device does not support. Where it is empty for all of a model, a sequence's tokens
     * do not depend on who else is in the batch; where it is not, loading the model logs a warning with the reason, and the
     * conformance suite counts rows alone as not promised.
     */
    default Optional<String> rowsDependOnOthers(OpInstance op) {
        return Optional.empty();
    }

    /**
     * Device memory, contents undefined.
     *
     * @param alignment power of two
     * @throws dev.weft.DeviceMemoryException if it does not fit
     */
    DeviceBuffer allocate(long bytes, long alignment);

    /** Bytes that could be allocated now without harm to the machine; empty if nobody knows. */
    default OptionalLong availableBytes() {
        return OptionalLong.empty();
    }

    /** Whether its addresses are addresses of this process, so that others can read and write what it holds in place. */
    default boolean isHostMemory() {
        return false;
    }

    /** A new ordered queue of work. */
    DeviceStream createStream();

    /** Copies host bytes to device address {@code target} and waits. */
    void copyIn(MemorySegment source, long target);

    /** Copies device bytes at {@code source} to host memory and waits. */
    void copyOut(long source, MemorySegment target);

    /** Fills device bytes with zero and waits. */
    void zero(long address, long bytes);

    /**
     * Waits for work that runs, ends the streams and frees what is still allocated. Closing again does nothing, nor does closing
     * a buffer or a stream afterwards; everything else, of the streams too, then throws {@link dev.weft.ClosedException}.
     */
    @Override
    void close();
}
