package dev.weft.backend.ascend;

import dev.weft.DeviceLostException;
import dev.weft.DeviceMemoryException;
import dev.weft.NativeCallException;
import dev.weft.ShapeException;
import dev.weft.UnsupportedOpException;
import dev.weft.WeftException;
import dev.weft.spi.support.Loss;
import java.lang.foreign.MemorySegment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Turns return codes into exceptions and remembers the loss of the device: the first cause is in every later message.
 * All but {@link #check} and {@link #isLost} is called on the thread that made the failing call, right after it, since
 * CANN keeps one error message per thread and clears it on reading.
 */
final class Health {
    private static final Logger LOG = LoggerFactory.getLogger(Health.class);
    private static final long MOST_MESSAGE_BYTES = 16 << 10;

    private final String subject;
    private final Acl acl;
    private final Loss loss;

    /** @param subject the device, for messages */
    Health(String subject, Acl acl) {
        this.subject = subject;
        this.acl = acl;
        this.loss = new Loss(subject);
    }

    /** @throws DeviceLostException after a loss, with the first cause */
    void check() {
        loss.check();
    }

    boolean isLost() {
        return loss.isLost();
    }

    /** Records a loss; the first one counts. Returns the exception to throw. */
    DeviceLostException lose(String cause) {
        return loss.lose(cause);
    }

    /** Passes on success. @param call the function and what it was to do, for messages */
    void require(int code, String call) {
        if (code != AclErrors.OK) {
            throw failure(code, call);
        }
    }

    /** The exception for a failed call; a loss is recorded. */
    WeftException failure(int code, String call) {
        String text = describe(code, call, recentMessage());
        return switch (AclErrors.kind(code)) {
            case LOST -> lose(text);
            case MEMORY -> new DeviceMemoryException(subject + ": " + text);
            case REFUSED -> new UnsupportedOpException(subject + ": " + text);
            case SHAPE -> new ShapeException(subject + ": " + text);
            case CALL -> new NativeCallException(subject + ": " + text);
        };
    }

    /** A failure while closing, where nothing can be done: it is logged only, silently on a lost device. */
    void note(int code, String call) {
        if (code != AclErrors.OK) {
            String text = describe(code, call, recentMessage());
            if (isLost()) {
                LOG.debug("{}: {}", subject, text);
            } else {
                LOG.warn("{}: {}", subject, text);
            }
        }
    }

    private static String describe(int code, String call, String message) {
        StringBuilder text = new StringBuilder(call)
                .append(" returned ")
                .append(code)
                .append(" (")
                .append(AclErrors.name(code));
        text.append(message.isEmpty() ? ")" : "): " + message);
        String remedy = AclErrors.remedy(code);
        return remedy.isEmpty() ? text.toString() : text + "; " + remedy;
    }

    /** What CANN says about the last failure on this thread, empty if nothing. Reading it clears it. */
    String recentMessage() {
        MemorySegment text = acl.aclGetRecentErrMsg();
        return text.address() == 0
                ? ""
                : text.reinterpret(MOST_MESSAGE_BYTES).getString(0).strip();
    }
}
