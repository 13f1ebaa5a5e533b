package dev.weft.backend.cpu;

import dev.weft.ClosedException;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Work in order: native commands, Java kernels, copies, and other streams' work. Neighbouring native commands run by one
 * native call. It can run many times, and entries are used again after {@link #clear}. Not thread-safe.
 */
final class WorkList implements AutoCloseable {
    private final CommandList commands = new CommandList();
    private final List<Item> items = new ArrayList<>();
    private int size;
    private int done;

    private enum Kind {
        NATIVE,
        JAVA,
        COPY_IN,
        COPY_OUT,
        COPY_ROWS,
        CAPTURED
    }

    /** A copy of pieces, as {@link dev.weft.spi.DeviceStream#copy}. */
    private record Rows(long source, long sourcePitch, long target, long targetPitch, long bytes, long count) {
        void copy() {
            for (long i = 0; i < count; i++) {
                MemorySegment.copy(
                        HostMemory.ALL, source + i * sourcePitch, HostMemory.ALL, target + i * targetPitch, bytes);
            }
        }
    }

    /** A place in the list. */
    private static final class Item {
        private Kind kind = Kind.JAVA;
        private @Nullable NativeKernels kernels;
        private @Nullable JavaKernel kernel;
        private @Nullable KernelArguments arguments;
        private @Nullable CpuStream captured;
        private @Nullable MemorySegment host;
        private @Nullable Rows rows;
        private long device;
        private long firstCommand;
        private long commandCount;

        void run(CommandList commands) {
            switch (kind) {
                case NATIVE -> kernels.run(commands.address(firstCommand), commandCount);
                case JAVA -> kernel.body().accept(arguments);
                case COPY_IN -> MemorySegment.copy(reachable(host), 0, HostMemory.ALL, device, host.byteSize());
                case COPY_OUT -> MemorySegment.copy(HostMemory.ALL, device, reachable(host), 0, host.byteSize());
                case COPY_ROWS -> rows.copy();
                case CAPTURED -> captured.replay();
            }
        }

        /** A segment of a confined arena is copied by address if another thread runs the list. */
        private static MemorySegment reachable(MemorySegment host) {
            if (host.isAccessibleBy(Thread.currentThread())) {
                return host;
            }
            if (!host.scope().isAlive()) {
                throw new ClosedException("copy of " + host.byteSize() + " bytes: the host memory was closed before the"
                        + " stream ran; keep it open until synchronize");
            }
            return HostMemory.segment(host.address(), host.byteSize());
        }

        void clear() {
            kernels = null;
            kernel = null;
            arguments = null;
            captured = null;
            host = null;
            rows = null;
        }
    }

    /** Number of items; neighbouring native commands are one. */
    int size() {
        return size;
    }

    /** Items that the last run finished. */
    int done() {
        return done;
    }

    void add(NativeKernels kernels, Encoding encoding, KernelArguments arguments) {
        Item last = size == 0 ? null : items.get(size - 1);
        if (last == null || last.kind != Kind.NATIVE || last.kernels != kernels) {
            last = next(Kind.NATIVE);
            last.kernels = kernels;
            last.firstCommand = commands.size();
            last.commandCount = 0;
        }
        last.commandCount++;
        commands.add(
                encoding.opcode(),
                encoding.attributes().address(),
                arguments.words().address(),
                arguments.workspace());
    }

    void add(JavaKernel kernel, KernelArguments arguments) {
        Item item = next(Kind.JAVA);
        item.kernel = kernel;
        item.arguments = arguments;
    }

    void add(CpuStream captured) {
        next(Kind.CAPTURED).captured = captured;
    }

    void copyIn(MemorySegment source, long target) {
        Item item = next(Kind.COPY_IN);
        item.host = source;
        item.device = target;
    }

    void copyOut(long source, MemorySegment target) {
        Item item = next(Kind.COPY_OUT);
        item.host = target;
        item.device = source;
    }

    void copy(long source, long sourcePitch, long target, long targetPitch, long bytes, long rows) {
        next(Kind.COPY_ROWS).rows = new Rows(source, sourcePitch, target, targetPitch, bytes, rows);
    }

    private Item next(Kind kind) {
        if (size == items.size()) {
            items.add(new Item());
        }
        Item item = items.get(size++);
        item.kind = kind;
        return item;
    }

    /** Runs all items; a failing one ends the run. */
    void run() {
        for (done = 0; done < size; done++) {
            items.get(done).run(commands);
        }
    }

    void clear() {
        for (int i = 0; i < size; i++) {
            items.get(i).clear();
        }
        size = 0;
        done = 0;
        commands.clear();
    }

    @Override
    public void close() {
        clear();
        commands.close();
    }
}
