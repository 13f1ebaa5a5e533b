package dev.weft.backend.cuda;

import static dev.weft.backend.cuda.DriverConstants.*;

import dev.weft.UnsupportedOpException;
import dev.weft.WeftException;
import dev.weft.backend.cuda.kernel.Grid;
import dev.weft.spi.support.DeviceMemory;
import dev.weft.spi.support.PinnedPool;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.OptionalLong;
import java.util.function.IntSupplier;

/**
 * The driver's calls on one device with Java values as results and failures as exceptions, and its primary context, which
 * other libraries of the process share. Everything is called on the device's thread; what only frees never throws.
 */
final class CudaContext implements PinnedPool.Source {
    private static final int LOG_BYTES = 8 << 10;

    // CUlaunchConfig and CUlaunchAttribute
    private static final long CONFIG_BYTES = 56;
    private static final long ATTRIBUTE_BYTES = 72;

    // CUDA_MEMCPY2D: where it says whose memory a side is, its address and its pitch; width and height at the end
    private static final long COPY_BYTES = 128;
    private static final long COPY_SOURCE = 16;
    private static final long COPY_TARGET = 72;
    private static final long COPY_WIDTH = 112;

    private final Driver driver;
    private final Health health;
    private final int device;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment out = arena.allocate(16, 8);
    private final MemorySegment config = arena.allocate(CONFIG_BYTES, 8);
    private final MemorySegment parameters = arena.allocate(ValueLayout.ADDRESS);
    private final MemorySegment copy = arena.allocate(COPY_BYTES, 8);
    private final boolean overlap;

    /** @param overlap whether kernels that wait themselves are launched while the one ahead ends */
    CudaContext(Driver driver, Health health, int device, boolean overlap) {
        this.driver = driver;
        this.health = health;
        this.device = device;
        this.overlap = overlap;
        MemorySegment attribute = arena.allocate(ATTRIBUTE_BYTES, 8);
        attribute.set(ValueLayout.JAVA_INT, 0, CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
        attribute.set(ValueLayout.JAVA_INT, 8, 1);
        config.set(ValueLayout.ADDRESS, 40, attribute);
    }

    private long handle() {
        return out.get(ValueLayout.JAVA_LONG, 0);
    }

    /** Makes the primary context current on this thread, for good. */
    void enter() {
        health.require(driver.cuDevicePrimaryCtxRetain(out, device), "cuDevicePrimaryCtxRetain");
        int code = driver.cuCtxSetCurrent(handle());
        if (code != CUDA_SUCCESS) {
            WeftException failure = health.failure(code, "cuCtxSetCurrent");
            health.note(driver.cuDevicePrimaryCtxRelease(device), "cuDevicePrimaryCtxRelease_v2");
            throw failure;
        }
    }

    /** Gives the context up. */
    void leave() {
        release(() -> driver.cuCtxSetCurrent(0), "cuCtxSetCurrent");
        release(() -> driver.cuDevicePrimaryCtxRelease(device), "cuDevicePrimaryCtxRelease_v2");
        arena.close();
    }

    /** A call that only frees. It would wait for ever on a device that is stuck, so nothing is freed there. */
    private void release(IntSupplier call, String name) {
        if (!health.isStuck()) {
            health.note(call.getAsInt(), name);
        }
    }

    // memory

    /** @throws dev.weft.DeviceMemoryException if there is not enough */
    long allocate(long bytes) {
        health.check();
        health.require(driver.cuMemAlloc(out, bytes), "cuMemAlloc_v2(" + bytes + ")");
        return handle();
    }

    void free(long address) {
        release(() -> driver.cuMemFree(address), "cuMemFree_v2");
    }

    OptionalLong freeBytes() {
        int code = driver.cuMemGetInfo(out, out.asSlice(8));
        health.note(code, "cuMemGetInfo_v2");
        return code == CUDA_SUCCESS ? OptionalLong.of(handle()) : OptionalLong.empty();
    }

    @Override
    public MemorySegment allocatePinned(long bytes) {
        health.check();
        health.require(driver.cuMemHostAlloc(out, bytes, 0), "cuMemHostAlloc(" + bytes + ")");
        return out.get(ValueLayout.ADDRESS, 0).reinterpret(bytes);
    }

    @Override
    public void freePinned(MemorySegment memory) {
        release(() -> driver.cuMemFreeHost(memory), "cuMemFreeHost");
    }

    void copyIn(MemorySegment pinned, long target, long bytes, long stream) {
        int code = driver.cuMemcpyHtoDAsync(target, pinned, bytes, stream);
        health.require(code, "cuMemcpyHtoDAsync_v2(" + bytes + " bytes)");
    }

    void copyOut(long source, MemorySegment pinned, long bytes, long stream) {
        int code = driver.cuMemcpyDtoHAsync(pinned, source, bytes, stream);
        health.require(code, "cuMemcpyDtoHAsync_v2(" + bytes + " bytes)");
    }

    void copy(long source, long target, long bytes, long stream) {
        int code = driver.cuMemcpyDtoDAsync(target, source, bytes, stream);
        health.require(code, "cuMemcpyDtoDAsync_v2(" + bytes + " bytes)");
    }

    /** Copies pieces that begin so many bytes apart. */
    void copyRows(long source, long sourcePitch, long target, long targetPitch, long bytes, long rows, long stream) {
        side(COPY_SOURCE, source, sourcePitch);
        side(COPY_TARGET, target, targetPitch);
        copy.set(ValueLayout.JAVA_LONG, COPY_WIDTH, bytes);
        copy.set(ValueLayout.JAVA_LONG, COPY_WIDTH + 8, rows);
        int code = driver.cuMemcpy2DAsync(copy, stream);
        health.require(code, "cuMemcpy2DAsync_v2(" + rows + " times " + bytes + " bytes)");
    }

    private void side(long at, long address, long pitch) {
        copy.set(ValueLayout.JAVA_INT, at, CU_MEMORYTYPE_DEVICE);
        copy.set(ValueLayout.JAVA_LONG, at + 16, address);
        copy.set(ValueLayout.JAVA_LONG, at + 32, pitch);
    }

    void zero(long address, long bytes, long stream) {
        health.require(driver.cuMemsetD8Async(address, 0, bytes, stream), "cuMemsetD8Async(" + bytes + " bytes)");
    }

    // streams and events

    /** A stream that does not wait for the default stream of other libraries. */
    long createStream() {
        health.require(driver.cuStreamCreate(out, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
        return handle();
    }

    void destroyStream(long stream) {
        release(() -> driver.cuStreamDestroy(stream), "cuStreamDestroy_v2");
    }

    /** Whether the stream has passed all its work. @throws WeftException if the work failed */
    boolean isIdle(long stream) {
        return isReady(driver.cuStreamQuery(stream), "cuStreamQuery");
    }

    private boolean isReady(int code, String call) {
        if (code == CUDA_ERROR_NOT_READY) {
            return false;
        }
        health.require(code, call);
        return true;
    }

    long createEvent() {
        health.require(driver.cuEventCreate(out, CU_EVENT_DISABLE_TIMING), "cuEventCreate");
        return handle();
    }

    /** An event that knows when a stream passed it. */
    long createTimer() {
        health.require(driver.cuEventCreate(out, CU_EVENT_DEFAULT), "cuEventCreate");
        return handle();
    }

    /** Nanoseconds between two timers that their stream has passed. */
    long elapsed(long start, long end) {
        health.require(driver.cuEventElapsedTime(out, start, end), "cuEventElapsedTime");
        return Math.round(1e6 * out.get(ValueLayout.JAVA_FLOAT, 0));
    }

    void destroyEvent(long event) {
        release(() -> driver.cuEventDestroy(event), "cuEventDestroy_v2");
    }

    void recordEvent(long event, long stream) {
        health.require(driver.cuEventRecord(event, stream), "cuEventRecord");
    }

    /** Whether the event's stream has passed it. @throws WeftException if the work before it failed */
    boolean isPast(long event) {
        return isReady(driver.cuEventQuery(event), "cuEventQuery");
    }

    void awaitEvent(long stream, long event) {
        health.require(driver.cuStreamWaitEvent(stream, event, 0), "cuStreamWaitEvent");
    }

    // images and launches

    /** Loads an image. @param image bytes outside the heap, which may go afterwards */
    long loadModule(MemorySegment image, String name) {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment log = scratch.allocate(LOG_BYTES);
            MemorySegment options = scratch.allocateFrom(
                    ValueLayout.JAVA_INT, CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
            MemorySegment values = scratch.allocateFrom(ValueLayout.JAVA_LONG, log.address(), LOG_BYTES);
            int code = driver.cuModuleLoadDataEx(out, image, 2, options, values);
            if (code != CUDA_SUCCESS) {
                String text = log.getString(0).strip();
                throw health.failure(
                        code, "cuModuleLoadDataEx(" + name + ")" + (text.isEmpty() ? "" : ": " + text + ":"));
            }
            return handle();
        }
    }

    void unloadModule(long module) {
        release(() -> driver.cuModuleUnload(module), "cuModuleUnload");
    }

    /** A kernel that takes one {@code weft::Call}. */
    long function(long module, String name, String image, int calls) {
        try (Arena scratch = Arena.ofConfined()) {
            int code = driver.cuModuleGetFunction(out, module, scratch.allocateFrom(name));
            health.require(code, "cuModuleGetFunction(" + name + " of " + image + ")");
        }
        long function = handle();
        try {
            int code = driver.cuFuncGetParamInfo(function, 0, out, out.asSlice(8));
            health.require(code, "cuFuncGetParamInfo(" + name + " of " + image + ")");
        } catch (UnsatisfiedLinkError e) {
            return function; // older than the question
        }
        long bytes = out.get(ValueLayout.JAVA_LONG, 8);
        if (bytes != calls * CallLayout.BYTES) {
            throw new UnsupportedOpException("kernel " + name + " of " + image + ": takes a parameter of " + bytes
                    + " bytes, expected " + calls * CallLayout.BYTES + "; build image and library together");
        }
        return function;
    }

    /** Shared memory that a kernel declares itself. */
    int staticShared(long function, String name) {
        int code = driver.cuFuncGetAttribute(out, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, function);
        health.require(code, "cuFuncGetAttribute(" + name + ", static shared memory)");
        return out.get(ValueLayout.JAVA_INT, 0);
    }

    /** Allows blocks of {@code function} that much dynamic shared memory. */
    void allowShared(Function function, int bytes) {
        int code = driver.cuFuncSetAttribute(function.handle(), CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes);
        health.require(code, "cuFuncSetAttribute(" + function + ", " + bytes + " bytes of shared memory)");
    }

    void launch(Launch launch, long stream) {
        Grid grid = launch.grid();
        config.set(ValueLayout.JAVA_INT, 0, (int) grid.x());
        config.set(ValueLayout.JAVA_INT, 4, (int) grid.y());
        config.set(ValueLayout.JAVA_INT, 8, (int) grid.z());
        config.set(ValueLayout.JAVA_INT, 12, launch.threads());
        config.set(ValueLayout.JAVA_INT, 16, 1);
        config.set(ValueLayout.JAVA_INT, 20, 1);
        config.set(ValueLayout.JAVA_INT, 24, launch.sharedBytes());
        config.set(ValueLayout.JAVA_LONG, 32, stream);
        config.set(ValueLayout.JAVA_INT, 48, overlap && launch.function().waits() ? 1 : 0);
        parameters.set(ValueLayout.ADDRESS, 0, launch.call());
        int code = driver.cuLaunchKernelEx(config, launch.function().handle(), parameters, MemorySegment.NULL);
        if (code != CUDA_SUCCESS) {
            throw health.failure(code, "cuLaunchKernelEx(" + launch + ")");
        }
    }

    // graphs

    /** Begins a capture, during which other threads go on allocating and copying. */
    void beginCapture(long stream) {
        health.require(
                driver.cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), "cuStreamBeginCapture_v2");
    }

    /** Ends a capture that failed. */
    void dropCapture(long stream) {
        if (driver.cuStreamEndCapture(stream, out) == CUDA_SUCCESS && handle() != 0) {
            destroyGraph(handle());
        }
    }

    /** Ends the capture. Returns the graph, for {@link #instantiate}. */
    long endCapture(long stream) {
        health.require(driver.cuStreamEndCapture(stream, out), "cuStreamEndCapture");
        return handle();
    }

    /** Turns a graph, which ends, into one that can be launched. */
    long instantiate(long graph) {
        try {
            health.require(driver.cuGraphInstantiate(out, graph, 0), "cuGraphInstantiateWithFlags");
            return handle();
        } finally {
            destroyGraph(graph);
        }
    }

    private void destroyGraph(long graph) {
        release(() -> driver.cuGraphDestroy(graph), "cuGraphDestroy");
    }

    void launchGraph(long executable, long stream) {
        health.require(driver.cuGraphLaunch(executable, stream), "cuGraphLaunch");
    }

    /** Destroys what {@link #instantiate} gave; a launch under way ends first. */
    void destroyExecutable(long executable) {
        release(() -> driver.cuGraphExecDestroy(executable), "cuGraphExecDestroy");
    }

    /** This context as a source of device memory. @param awaitStreams waits until all streams are idle, never throws */
    DeviceMemory.Source memory(Runnable awaitStreams) {
        return new DeviceMemory.Source() {
            /** The driver aligns allocations to 256 bytes. */
            @Override
            public long startAlignment() {
                return 256;
            }

            @Override
            public long allocate(long bytes) {
                return CudaContext.this.allocate(bytes);
            }

            @Override
            public void free(long address) {
                CudaContext.this.free(address);
            }

            @Override
            public OptionalLong freeBytes() {
                return CudaContext.this.freeBytes();
            }

            @Override
            public void awaitStreams() {
                awaitStreams.run();
            }
        };
    }
}
