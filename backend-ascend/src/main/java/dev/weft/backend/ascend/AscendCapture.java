package dev.weft.backend.ascend;

import dev.weft.WeftException;
import dev.weft.spi.Capturing.Call;
import dev.weft.spi.Capturing.Capture;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.support.RecentRuns;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A sequence of kernels that is recorded as a graph per set of extents. Extents are part of a graph: shapes and lengths are
 * fixed when it is recorded, so new extents need another graph; everything else that changes from step to step lies in
 * device memory, which a replay reads again, so that no task of a graph has to be updated. The first run with some extents goes call by call and
 * finds the workspaces; the second is recorded, since running twice in one step would change states twice; later ones
 * replay. Extents of one step only, as in prefill, therefore never pay for a recording. Where graphs are off or cannot be
 * recorded, the executors of the second run are kept instead and run again without their first phase.
 *
 * <p>All graphs of a sequence run one after another and share a block of workspace, which lives as long as they do.
 */
final class AscendCapture implements Capture {
    private static final Logger LOG = LoggerFactory.getLogger(AscendCapture.class);

    /** {@code ACL_MODEL_RI_CAPTURE_MODE_THREAD_LOCAL}: other devices' threads go on copying. */
    private static final int THREAD_LOCAL = 1;

    private final AscendDevice device;
    private final List<Call> calls;
    private final Workspace workspace;
    private final StepValues shared;
    private final RecentRuns<Extents, Run> runs;
    private @Nullable Run current;
    private @Nullable AscendStream lastStream;
    private boolean closed;

    AscendCapture(AscendDevice device, List<Call> calls) {
        this.device = device;
        this.calls = List.copyOf(calls);
        this.runs = new RecentRuns<>(device.options().graphs(), Run::isRecorded, this::destroy);
        this.workspace = new Workspace(device.memory());
        this.shared = new StepValues(device.memory()::allocate, device.sizeRule());
    }

    /** Extents of all operands of all calls. */
    private record Extents(List<Long> values) {
        static Extents of(List<Call> calls) {
            List<Long> values = new ArrayList<>();
            for (Call c : calls) {
                for (int i = 0; i < c.arguments().count(); i++) {
                    for (int a = 0; a < c.arguments().rank(i); a++) {
                        values.add(c.arguments().dim(i, a));
                    }
                }
            }
            return new Extents(values);
        }
    }

    /** What is known about running with some extents: nothing yet, once call by call, a graph, or why there is none. */
    private static final class Run {
        private boolean warm;
        private @Nullable MemorySegment graph;
        private @Nullable CaptureException failure;
        private @Nullable Repeated repeated;

        boolean isRecorded() {
            return graph != null || repeated != null;
        }
    }

    @Override
    public void enqueue(DeviceStream stream) {
        AscendStream s = AscendStream.of(stream, device);
        s.append(() -> enqueueHere(s));
    }

    private void enqueueHere(AscendStream stream) {
        if (lastStream != null && lastStream != stream) {
            lastStream.settle(); // the workspace is shared by all runs of the sequence
        }
        lastStream = stream;
        Run run = current;
        if (run == null) {
            run = runs.of(Extents.of(calls), Run::new);
            current = run;
        }
        boolean graphs = device.options().capture() != AscendOptions.Capture.OFF;
        if (graphs && run.warm && run.graph == null && run.failure == null) {
            record(run, stream);
        }
        Repeated repeated = run.repeated;
        if (run.graph != null) {
            stream.operators().add("a graph of " + calls.size() + " kernels");
            int code = device.acl().aclmdlRIExecuteAsync(run.graph, stream.handle());
            device.health().require(code, "aclmdlRIExecuteAsync");
        } else if (repeated != null) {
            repeated.run(stream, workspace);
        } else if (run.warm && calls.stream().allMatch(c -> AscendKernel.isDense(c.arguments()))) {
            runs.makeRoomForRecording();
            run.repeated = repeat(stream);
        } else {
            launchAll(stream);
            run.warm = true;
        }
    }

    private void launchAll(AscendStream stream) {
        launchAll((function, arguments) -> device.caller().launch(function, arguments, stream, workspace));
    }

    /** Runs call by call and keeps the executors for the next time. */
    private Repeated repeat(AscendStream stream) {
        Repeated kept = new Repeated(device.caller());
        try {
            launchAll((function, arguments) -> kept.first(function, arguments, stream, workspace));
            return kept;
        } catch (RuntimeException | Error e) {
            kept.close();
            throw e;
        }
    }

    private void launchAll(AscendKernel.Caller caller) {
        shared.begin();
        for (Call c : calls) {
            ((AscendKernel) c.kernel()).launch(c.arguments(), workspace, shared, caller);
        }
    }

    /** Records a graph. Without success the sequence goes on call by call, unless graphs are required. */
    private void record(Run run, AscendStream stream) {
        runs.makeRoomForRecording();
        try {
            run.graph = capture(stream);
        } catch (CaptureException e) {
            if (device.options().capture() == AscendOptions.Capture.REQUIRE) {
                throw e;
            }
            run.failure = e;
            LOG.warn("{}: runs call by call from now on: {}", device, e.getMessage());
        }
    }

    private MemorySegment capture(AscendStream stream) {
        Acl acl = device.acl();
        int code = acl.aclmdlRICaptureBegin(stream.handle(), THREAD_LOCAL);
        if (code != AclErrors.OK) {
            throw failed("aclmdlRICaptureBegin", device.health().failure(code, "aclmdlRICaptureBegin"));
        }
        WeftException failure = null;
        workspace.freeze(true);
        shared.freeze(true);
        device.constants().freeze(true);
        try {
            launchAll(stream);
        } catch (WeftException e) {
            failure = e;
        } finally {
            workspace.freeze(false);
            shared.freeze(false);
            device.constants().freeze(false);
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            code = acl.aclmdlRICaptureEnd(stream.handle(), out);
            MemorySegment graph = out.get(ValueLayout.ADDRESS, 0);
            if (failure != null) {
                device.health().recentMessage();
                if (code == AclErrors.OK) {
                    destroy(graph);
                }
                stream.requireAlive();
                throw failed("a kernel", failure);
            }
            if (code != AclErrors.OK) {
                throw failed("aclmdlRICaptureEnd", device.health().failure(code, "aclmdlRICaptureEnd"));
            }
            return graph;
        }
    }

    /** @throws dev.weft.DeviceLostException if that is what happened */
    private CaptureException failed(String what, WeftException cause) {
        device.health().check();
        return new CaptureException(
                calls.size() + " kernels cannot be recorded as a graph: " + what + ": " + cause.getMessage(), cause);
    }

    @Override
    public void extentsChanged() {
        current = null;
    }

    private void destroy(Run run) {
        MemorySegment graph = run.graph;
        run.graph = null;
        if (run.repeated != null) {
            run.repeated.close();
            run.repeated = null;
        }
        if (graph != null) {
            if (lastStream != null) {
                lastStream.settle();
            }
            destroy(graph);
        }
    }

    private void destroy(MemorySegment graph) {
        device.health().note(device.acl().aclmdlRIDestroy(graph), "aclmdlRIDestroy");
    }

    @Override
    public void close() {
        device.whileAlive(this::closeHere);
    }

    /** Destroys all graphs; on the device's thread. */
    void closeHere() {
        if (closed) {
            return;
        }
        closed = true;
        runs.close();
        current = null;
        workspace.close();
        shared.close();
        device.forget(this);
    }

    /** Graphs recorded now; for tests. */
    int graphs() {
        return device.call(
                () -> (int) runs.all().stream().filter(r -> r.graph != null).count());
    }
}
