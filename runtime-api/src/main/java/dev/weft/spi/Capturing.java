package dev.weft.spi;

import java.util.List;

/**
 * Optional ability of a {@link BackendDevice}: records kernel calls once and runs them again and again at the cost of one
 * submission (a native command list, a CUDA graph, an ACL graph). Without it every call is enqueued at every run.
 */
public interface Capturing {
    /**
     * Records calls that run one after another. Nothing runs yet; the recording itself may wait for the first
     * {@link Capture#enqueue}.
     *
     * @param calls of kernels of this device, and of {@link SharedKernel}s if its group is
     *     {@link DeviceCommunicator#isRecordable}. Addresses and workspaces in the arguments are final; extents may change
     *     between runs. The arguments must outlive the capture
     */
    Capture capture(List<Call> calls);

    /**
     * For how many sets of extents a capture keeps what it has recorded; more push out what was not used for longest.
     * A device that records per extents returns a bound; {@link Integer#MAX_VALUE} says that first runs take no longer.
     */
    default int recordings() {
        return Integer.MAX_VALUE;
    }

    /**
     * One kernel call.
     *
     * @param kernel what runs
     * @param arguments its operands, read again after {@link Capture#extentsChanged}
     */
    record Call(Kernel kernel, KernelArguments arguments) {}

    /** Recorded calls. Used by one thread at a time, on one stream at a time; closed after the stream has passed it. */
    interface Capture extends AutoCloseable {
        /**
         * Appends all calls to the stream. Like {@link Kernel#enqueue} it never blocks on the device. The third time with
         * the same extents is a replay if the calls can be recorded and the recording is still kept.
         */
        void enqueue(DeviceStream stream);

        /** Says that extents in the arguments have changed since the last {@link #enqueue}. */
        void extentsChanged();

        @Override
        void close();
    }
}
