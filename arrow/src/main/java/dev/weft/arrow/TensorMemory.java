package dev.weft.arrow;

import dev.weft.ClosedException;
import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.ShapeException;
import dev.weft.TensorType;
import dev.weft.runtime.Tensor;
import dev.weft.runtime.TensorLoan;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The memory of a tensor of fixed extents, row-major without gaps, that several may hold: this object, vectors, C structures,
 * DLPack tensors. It is released when the last of them is done, once, on whichever thread that is. Thread-safe; close is
 * idempotent and gives up this object's hold alone.
 */
public final class TensorMemory implements AutoCloseable {
    private final TensorType type;
    private final Place place;
    private final long address;
    private final long scaleAddress;
    private final Share share;
    private final Hold own;

    /** What all holders have in common. Its maker is the first of them. */
    private static final class Share {
        final AtomicInteger holders = new AtomicInteger(1);
        final Arena arena = Arena.ofShared();
        final Runnable release;

        Share(Runnable release) {
            this.release = release;
        }

        void join(TensorType type) {
            if (holders.getAndUpdate(n -> n == 0 ? 0 : n + 1) == 0) {
                throw closed(type);
            }
        }

        void drop() {
            if (holders.decrementAndGet() == 0) {
                arena.close(); // segments of this memory refuse from here on
                release.run();
            }
        }
    }

    /** The right to use the memory, of one who joined. Close gives it up, once. */
    static final class Hold implements AutoCloseable {
        private final Share share;
        private final AtomicBoolean closed = new AtomicBoolean();

        private Hold(Share share) {
            this.share = share;
        }

        @Override
        public void close() {
            if (closed.compareAndSet(false, true)) {
                share.drop();
            }
        }
    }

    private TensorMemory(TensorType type, Place place, long address, long scaleAddress, Share share) {
        this.type = type;
        this.place = place;
        this.address = address;
        this.scaleAddress = scaleAddress;
        this.share = share;
        this.own = new Hold(share);
    }

    /** Memory at an address that {@code release} gives back. */
    static TensorMemory at(TensorType type, Place place, long address, long scaleAddress, Runnable release) {
        return new TensorMemory(type, place, address, scaleAddress, new Share(release));
    }

    /** The memory of a tensor, which may be closed before. On a device only its address is passed on. */
    public static TensorMemory of(Tensor tensor) {
        TensorLoan loan = tensor.lend();
        try {
            return at(loan.type(), Place.of(loan.device()), loan.address(), loan.scaleAddress(), loan::close);
        } catch (ArrowException e) {
            loan.close();
            throw e;
        }
    }

    /**
     * Memory of the host.
     *
     * @param type what is in it, of fixed extents
     * @param data the elements, outside the Java heap
     * @param scales the block scales, {@link MemorySegment#NULL} if there are none
     * @param release called once when nobody uses the memory any more; the segments must stay alive until then
     * @throws ShapeException if the sizes are not those of the type
     * @throws ArrowException if the memory is in the Java heap
     */
    public static TensorMemory host(TensorType type, MemorySegment data, MemorySegment scales, Runnable release) {
        if (!type.shape().isFixed()
                || data.byteSize() != type.maxDataBytes()
                || scales.byteSize() != type.maxScaleBytes()) {
            throw new ShapeException("tensor memory " + type + ": found " + data.byteSize() + " bytes and "
                    + scales.byteSize() + " of scales, expected fixed extents, " + type.maxDataBytes() + " and "
                    + type.maxScaleBytes());
        }
        if (!data.isNative() || !scales.isNative()) {
            throw new ArrowException("tensor memory " + type
                    + ": found memory in the Java heap, which moves; expected memory of an Arena");
        }
        return at(type, Place.HOST, data.address(), scales.address(), release);
    }

    /**
     * Elements and block scales that came as two, as one tensor. It holds both; close the parts as well.
     *
     * @throws ShapeException if the scales are not of the shape and format that the scaling asks for
     */
    public static TensorMemory scaled(TensorMemory elements, TensorMemory scales, Scaling scaling) {
        TensorType type = elements.type.scaled(scaling);
        TensorType expected = scaleType(type);
        if (!scales.type.equals(expected) || !scales.place.equals(elements.place)) {
            throw new ShapeException("tensor memory " + type + ": found scales " + scales.type + " of " + scales.place
                    + ", expected " + expected + " of " + elements.place);
        }
        long address = elements.address();
        long scaleAddress = scales.address();
        Hold first = elements.hold();
        Hold second = scales.hold();
        return at(type, elements.place, address, scaleAddress, () -> {
            first.close();
            second.close();
        });
    }

    private static TensorType scaleType(TensorType type) {
        return TensorType.of(
                DType.F8_E8M0, type.scaling().scaleDims(type.shape().maximum()));
    }

    /** What is in it. */
    public TensorType type() {
        return type;
    }

    /** Where it is. */
    Place place() {
        return place;
    }

    /** Address of the first element, on the device. @throws ClosedException after close */
    public long address() {
        requireOpen();
        return address;
    }

    /**
     * The elements, for as long as somebody holds the memory.
     *
     * @throws ClosedException after close
     * @throws ArrowException if the memory is not the host's
     */
    public MemorySegment data() {
        requireOpen();
        if (!place.isHost()) {
            throw new ArrowException("tensor memory " + type + ": found memory of " + place
                    + ", expected the host's; only its address can be passed on");
        }
        return MemorySegment.ofAddress(address).reinterpret(type.maxDataBytes(), share.arena, null);
    }

    /** The block scales, as a tensor that holds the same memory; empty for an unscaled tensor. Close it too. */
    public Optional<TensorMemory> scales() {
        requireOpen();
        if (type.scaling().isNone()) {
            return Optional.empty();
        }
        share.join(type);
        return Optional.of(new TensorMemory(scaleType(type), place, scaleAddress, 0, share));
    }

    /** A further right to use the memory. @throws ClosedException after close */
    Hold hold() {
        requireOpen();
        share.join(type);
        return new Hold(share);
    }

    private void requireOpen() {
        if (own.closed.get()) {
            throw closed(type);
        }
    }

    private static ClosedException closed(TensorType type) {
        return new ClosedException("tensor memory " + type + ": used after close");
    }

    @Override
    public void close() {
        own.close();
    }
}
