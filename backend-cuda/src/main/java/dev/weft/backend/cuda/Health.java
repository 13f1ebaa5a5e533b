package dev.weft.backend.cuda;

import static dev.weft.backend.cuda.DriverConstants.*;

import dev.weft.DeviceMemoryException;
import dev.weft.NativeCallException;
import dev.weft.UnsupportedOpException;
import dev.weft.WeftException;
import dev.weft.spi.support.Loss;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Turns the driver's codes into exceptions; the loss of the device is a state. Thread-safe. */
final class Health {
    private static final Logger LOG = LoggerFactory.getLogger(Health.class);
    private static final long MOST_TEXT_BYTES = 4 << 10;

    private final String subject;
    private final Driver driver;
    private final Loss loss;
    private volatile boolean stuck;

    /** @param subject the device, for messages */
    Health(String subject, Driver driver) {
        this.subject = subject;
        this.driver = driver;
        this.loss = new Loss(subject);
    }

    /** @throws dev.weft.DeviceLostException after a loss, with the first cause */
    void check() {
        loss.check();
    }

    boolean isLost() {
        return loss.isLost();
    }

    /** Records the loss of a device that answers no more. Returns the exception to throw. */
    WeftException stuck(String cause) {
        stuck = true;
        return loss.lose(cause);
    }

    /** Whether the device was lost since it answers no more, so that calls which wait for it would not return. */
    boolean isStuck() {
        return stuck;
    }

    /** Passes on success. @param call the function and what it was to do, for messages */
    void require(int code, String call) {
        if (code != CUDA_SUCCESS) {
            throw failure(code, call);
        }
    }

    /** The exception for a failed call; a loss is recorded. */
    WeftException failure(int code, String call) {
        String text = describe(driver, code, call);
        return switch (CudaErrors.kind(code)) {
            case LOST -> loss.lose(text);
            case MEMORY -> new DeviceMemoryException(subject + ": " + text);
            case REFUSED -> new UnsupportedOpException(subject + ": " + text);
            case CALL -> new NativeCallException(subject + ": " + text);
        };
    }

    /**
     * The exception for a failed call of another library in the device's context, which does not say whether the device was
     * lost: the driver does, with any call. On the device's thread.
     */
    WeftException failureOfLibrary(String text, String remedy) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(2 * Long.BYTES, Long.BYTES);
            int code = driver.cuMemGetInfo(out, out.asSlice(Long.BYTES));
            return CudaErrors.kind(code) == CudaErrors.Kind.LOST
                    ? failure(code, text + "; then cuMemGetInfo")
                    : new NativeCallException(subject + ": " + text + "; " + remedy);
        }
    }

    /** A failure while closing, where nothing can be done: it is logged only, silently on a lost device. */
    void note(int code, String call) {
        if (code != CUDA_SUCCESS) {
            note(describe(driver, code, call));
        }
    }

    /** As {@link #note(int, String)}, in the words of another library. */
    void note(String text) {
        if (isLost()) {
            LOG.debug("{}: {}", subject, text);
        } else {
            LOG.warn("{}: {}", subject, text);
        }
    }

    /** The call, its code with the driver's name and text, and the remedy. */
    static String describe(Driver driver, int code, String call) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            String name = driver.cuGetErrorName(code, out) == CUDA_SUCCESS ? text(out) : "unknown code";
            String meaning = driver.cuGetErrorString(code, out) == CUDA_SUCCESS ? ": " + text(out) : "";
            String remedy = CudaErrors.remedy(code);
            return call + " returned " + code + " (" + name + meaning + ")" + (remedy.isEmpty() ? "" : "; " + remedy);
        }
    }

    private static String text(MemorySegment out) {
        MemorySegment text = out.get(ValueLayout.ADDRESS, 0);
        return text.address() == 0 ? "" : text.reinterpret(MOST_TEXT_BYTES).getString(0);
    }
}
