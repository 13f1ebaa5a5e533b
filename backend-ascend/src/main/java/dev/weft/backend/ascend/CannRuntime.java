package dev.weft.backend.ascend;

import dev.weft.BackendUnavailableException;
import dev.weft.backend.ascend.abi.CannReport;
import dev.weft.spi.support.DeviceThread;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * CANN in this process: initialised by the first backend that opens and finalised by the last one that closes, as the
 * process can do it once only. Libraries stay loaded. Calls that belong to no device are made on a thread of its own.
 */
final class CannRuntime implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CannRuntime.class);

    /** Attribute of {@code aclrtGetDeviceInfo}: bytes of global memory. */
    private static final int TOTAL_GLOBAL_MEMORY = 301;

    private static @Nullable CannRuntime current;

    private final CannInstallation cann;
    private final DeviceThread thread = new DeviceThread("ascend");
    private final Health health;
    private final boolean ours;
    private int users;

    private CannRuntime(CannInstallation cann) {
        this.cann = cann;
        this.health = new Health("CANN at " + cann.root(), cann.acl());
        try {
            this.ours = thread.call(this::initialise);
        } catch (RuntimeException | Error e) {
            thread.close();
            throw e;
        }
    }

    /** The initialised runtime of an installation; closed once by every caller. */
    static synchronized CannRuntime open(CannInstallation cann) {
        if (current == null) {
            current = new CannRuntime(cann);
        } else if (!current.cann.root().equals(cann.root())) {
            throw new BackendUnavailableException("CANN at " + cann.root() + ": this process already uses the one at "
                    + current.cann.root() + "; a process can use one only");
        }
        current.users++;
        return current;
    }

    private boolean initialise() {
        int code = cann.acl().aclInit(MemorySegment.NULL);
        if (code == AclErrors.REPEATED_INIT) {
            health.recentMessage();
            LOG.debug("CANN was initialised by another library of this process, which will finalise it");
            return false;
        }
        health.require(code, "aclInit");
        return true;
    }

    CannInstallation cann() {
        return cann;
    }

    Acl acl() {
        return cann.acl();
    }

    /** Number of devices. */
    int deviceCount() {
        return thread.call(() -> {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment out = arena.allocate(ValueLayout.JAVA_INT);
                health.require(acl().aclrtGetDeviceCount(out), "aclrtGetDeviceCount");
                return out.get(ValueLayout.JAVA_INT, 0);
            }
        });
    }

    /** Name of the chip, for example {@code Ascend950DT_9591}. */
    String socName() {
        return thread.call(() -> {
            MemorySegment name = acl().aclrtGetSocName();
            if (name.address() == 0) {
                throw new BackendUnavailableException(
                        "CANN at " + cann.root() + ": aclrtGetSocName gives no name: " + health.recentMessage());
            }
            return name.reinterpret(256).getString(0);
        });
    }

    /** Bytes of a device's memory, 0 if unknown. */
    long memoryBytes(int device) {
        return thread.call(() -> {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
                int code = acl().aclrtGetDeviceInfo(device, TOTAL_GLOBAL_MEMORY, out);
                health.note(code, "aclrtGetDeviceInfo(" + device + ", memory)");
                return code == AclErrors.OK ? out.get(ValueLayout.JAVA_LONG, 0) : 0L;
            } catch (UnsatisfiedLinkError e) {
                return 0L; // older than the function
            }
        });
    }

    /** The installation, its libraries, and the functions that are not bound. */
    List<String> details() {
        return thread.call(() -> CannReport.of(cann.libraries()).lines().stream()
                .filter(line -> !line.startsWith("bound "))
                .toList());
    }

    @Override
    public void close() {
        synchronized (CannRuntime.class) {
            if (--users > 0) {
                return;
            }
            current = null;
            try {
                if (ours) {
                    thread.run(() -> health.note(acl().aclFinalize(), "aclFinalize"));
                }
            } finally {
                thread.close();
            }
        }
    }
}
