package dev.weft.spi.support;

import dev.weft.DeviceLostException;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Whether a device is lost. The first cause is in every later message. Thread-safe. */
public final class Loss {
    private static final Logger LOG = LoggerFactory.getLogger(Loss.class);

    private final String subject;
    private final AtomicReference<@Nullable String> firstCause = new AtomicReference<>();

    /** @param subject the device, for messages */
    public Loss(String subject) {
        this.subject = subject;
    }

    /** @throws DeviceLostException after a loss, with the first cause */
    public void check() {
        String cause = firstCause.get();
        if (cause != null) {
            throw lost(cause);
        }
    }

    /** Whether the device is lost. */
    public boolean isLost() {
        return firstCause.get() != null;
    }

    /** Records a loss; the first one counts. Returns the exception to throw. */
    public DeviceLostException lose(String cause) {
        if (firstCause.compareAndSet(null, cause)) {
            LOG.error("{} is lost: {}", subject, cause);
        }
        String first = firstCause.get();
        return lost(first == null ? cause : first);
    }

    private DeviceLostException lost(String cause) {
        return new DeviceLostException(subject + " is lost; first cause: " + cause + "; close it and open it again");
    }
}
