package dev.weft.runtime;

import dev.weft.ShapeException;
import dev.weft.TensorType;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.Lifetime;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;

/** A value of fixed extents on a device. Thread-safe; close is idempotent, and frees the memory unless it is lent. */
public final class Tensor implements AutoCloseable {
    private final Device device;
    private final TensorType type;
    private final DeviceBuffer buffer;
    private final Lifetime lifetime;
    /** The tensor itself and its loans. */
    private final AtomicInteger holders = new AtomicInteger(1);

    Tensor(Device device, TensorType type) {
        if (!type.shape().isFixed()) {
            throw new ShapeException("tensor " + type + ": expected fixed extents");
        }
        this.device = device;
        this.type = type;
        this.buffer = device.spi().allocate(Math.max(1, MemoryPlan.storageBytes(type)), MemoryPlan.ALIGNMENT);
        this.lifetime = new Lifetime("tensor " + type + " on " + device.id(), this::drop);
        device.own(this);
    }

    /** Type of the tensor. */
    public TensorType type() {
        return type;
    }

    /** The device it lives on. */
    public Device device() {
        return device;
    }

    /** All elements in row-major order, decoded to F32 with scales applied. */
    public float[] toFloatArray() {
        float[] out = new float[Math.toIntExact(type.maxElements())];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = read(arena);
            HostCodec.decode(type, bytes, bytes.asSlice(MemoryPlan.scaleOffset(type)), out);
        }
        return out;
    }

    /** Sets all bytes to zero. */
    public Tensor clear() {
        lifetime.enter();
        try {
            device.spi().zero(buffer.address(), MemoryPlan.storageBytes(type));
        } finally {
            lifetime.exit();
        }
        return this;
    }

    /** Overwrites an unscaled float tensor, rounding to nearest even. */
    public Tensor copyFrom(float[] values) {
        if (values.length != type.maxElements()) {
            throw new ShapeException(
                    "tensor " + type + ": found " + values.length + " values, expected " + type.maxElements());
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(Math.max(1, type.maxDataBytes()), 64);
            HostCodec.encode(type, values, bytes);
            write(bytes, 0);
        }
        return this;
    }

    /**
     * Overwrites all bytes.
     *
     * @param data elements in the tensor's format, row-major
     * @param scales its block scales; empty for an unscaled tensor
     */
    public Tensor copyFrom(MemorySegment data, MemorySegment scales) {
        if (data.byteSize() != type.maxDataBytes() || scales.byteSize() != type.maxScaleBytes()) {
            throw new ShapeException("tensor " + type + ": found " + data.byteSize() + " bytes and "
                    + scales.byteSize() + " of scales, expected " + type.maxDataBytes() + " and "
                    + type.maxScaleBytes());
        }
        write(data, 0);
        write(scales, MemoryPlan.scaleOffset(type));
        return this;
    }

    /**
     * Lends the memory to other code. It lives as long as the loan, even if the tensor is closed before; the device cannot be
     * closed before the loan. Weft's work on the tensor and the borrower's are not ordered by anybody: runs that use it have
     * to be waited for.
     */
    public TensorLoan lend() {
        lifetime.enter();
        try {
            device.lend();
            holders.incrementAndGet();
            return new TensorLoan(device.id(), type, address(), scaleAddress(), () -> {
                drop();
                device.giveBack();
            });
        } finally {
            lifetime.exit();
        }
    }

    private void drop() {
        if (holders.decrementAndGet() == 0) {
            buffer.close();
        }
    }

    /** Data, then scales at {@link MemoryPlan#scaleOffset}. */
    MemorySegment read(Arena arena) {
        MemorySegment bytes = arena.allocate(Math.max(1, MemoryPlan.storageBytes(type)), 64);
        lifetime.enter();
        try {
            if (type.maxDataBytes() > 0) {
                device.spi().copyOut(buffer.address(), bytes.asSlice(0, MemoryPlan.storageBytes(type)));
            }
        } finally {
            lifetime.exit();
        }
        return bytes;
    }

    void write(MemorySegment bytes, long offset) {
        lifetime.enter();
        try {
            if (bytes.byteSize() > 0) {
                device.spi().copyIn(bytes, buffer.address() + offset);
            }
        } finally {
            lifetime.exit();
        }
    }

    long address() {
        return buffer.address();
    }

    long scaleAddress() {
        return type.scaling().isNone() ? 0 : buffer.address() + MemoryPlan.scaleOffset(type);
    }

    Lifetime lifetime() {
        return lifetime;
    }

    @Override
    public void close() {
        lifetime.close();
        device.disown(this);
    }
}
