package dev.weft.runtime;

import dev.weft.ClosedException;
import dev.weft.DeviceId;
import dev.weft.TensorType;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The memory of a tensor, lent by {@link Tensor#lend} to code outside Weft. Addresses are of the device: only those of a CPU
 * may be dereferenced. Thread-safe; close gives the memory back, once.
 */
public final class TensorLoan implements AutoCloseable {
    private final DeviceId device;
    private final TensorType type;
    private final long address;
    private final long scaleAddress;
    private final Runnable giveBack;
    private final AtomicBoolean closed = new AtomicBoolean();

    TensorLoan(DeviceId device, TensorType type, long address, long scaleAddress, Runnable giveBack) {
        this.device = device;
        this.type = type;
        this.address = address;
        this.scaleAddress = scaleAddress;
        this.giveBack = giveBack;
    }

    /** Where the memory is. */
    public DeviceId device() {
        return device;
    }

    /** What is in it: fixed extents, row-major without gaps. */
    public TensorType type() {
        return type;
    }

    /** Address of the elements. @throws ClosedException after close */
    public long address() {
        requireOpen();
        return address;
    }

    /** Address of the block scales, 0 if there are none. @throws ClosedException after close */
    public long scaleAddress() {
        requireOpen();
        return scaleAddress;
    }

    private void requireOpen() {
        if (closed.get()) {
            throw new ClosedException("loan of tensor " + type + " on " + device + ": used after close");
        }
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            giveBack.run();
        }
    }
}
