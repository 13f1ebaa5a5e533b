package dev.weft.backend.cuda;

import dev.weft.UnsupportedOpException;
import dev.weft.backend.cuda.kernel.Chip;
import dev.weft.backend.cuda.kernel.Grid;
import dev.weft.spi.HardwareLimit;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Ceilings of a device, by kernels that do nothing else ({@code limits.cu}), timed by events. Kernels of the same kind as
 * those that compute: a unit that no kernel of ours uses is not measured, with the exception of FP8 products.
 */
final class CudaLimits {
    private static final String MODULE = "limits";
    private static final int THREADS = 256;
    private static final int WARPS = THREADS / 32;
    private static final int GROUP_THREADS = 128;

    /** Blocks a multiprocessor, enough to hide all latencies. */
    private static final int BLOCKS = 8;

    /** Bytes of a read of a thread. */
    private static final int PIECE = 16;

    /** So many reads of a thread are under way. */
    private static final int UNROLL = 8;

    /** Tile of a warpgroup's products, and what aligns it. */
    private static final int TILE_BYTES = (16 << 10) + 1024;

    /** What hardly any result of the kernels equals. */
    private static final long UNLIKELY = 0x2545F491L;

    private final CudaDevice device;
    private @Nullable Map<HardwareLimit, Unit> units;

    /**
     * A kernel that keeps a unit busy.
     *
     * @param operations of a block in a round
     */
    private record Unit(String kernel, int threads, int sharedBytes, long operations) {}

    CudaLimits(CudaDevice device) {
        this.device = device;
    }

    /** Units by what they measure; looked up late, since the image is looked at. */
    private synchronized Map<HardwareLimit, Unit> units() {
        Map<HardwareLimit, Unit> known = units;
        if (known == null) {
            known = look();
            units = known;
        }
        return known;
    }

    private Map<HardwareLimit, Unit> look() {
        Map<HardwareLimit, Unit> units = new EnumMap<>(HardwareLimit.class);
        Chip chip = device.chip();
        units.put(HardwareLimit.F32_FMA, new Unit("f32_fma", THREADS, 0, THREADS * 16 * 16 * 2L));
        if (chip.hasWgmma() && device.functions().hasOwnFeatures(MODULE)) {
            units.put(HardwareLimit.BF16_DOT, group("bf16_wgmma", 16));
            units.put(HardwareLimit.FP8_DOT, group("e4m3_wgmma", 32));
        } else if (chip.hasBf16Mma()) {
            units.put(HardwareLimit.BF16_DOT, warps("bf16_mma", 16));
        }
        return units;
    }

    /** Rounds of 8 products [16, k] x [k, 8] of every warp. */
    private static Unit warps(String kernel, int k) {
        return new Unit(kernel, THREADS, 0, WARPS * 8 * (16 * 8 * k * 2L));
    }

    /** Rounds of 4 products [64, k] x [k, 128]. */
    private static Unit group(String kernel, int k) {
        return new Unit(kernel, GROUP_THREADS, TILE_BYTES, 4 * (64 * 128 * k * 2L));
    }

    Set<HardwareLimit> kinds() {
        Set<HardwareLimit> kinds = EnumSet.of(HardwareLimit.READ);
        kinds.addAll(units().keySet());
        return kinds;
    }

    /** What measures the products. */
    String measuredBy() {
        return "kernels of sm_" + device.chip().sm() + ", events";
    }

    /** Bytes per second of reading memory once. */
    double read(CudaStream stream, long address, long bytes) {
        long first = (address + PIECE - 1) / PIECE * PIECE;
        long pieces = (address + bytes - first) / PIECE;
        long blocks = Math.min(grid(), Math.ceilDiv(pieces, (long) UNROLL * THREADS));
        Unit unit = new Unit("read_all", THREADS, 0, 0);
        return pieces * PIECE / seconds(stream, unit, Math.max(1, blocks), first, pieces);
    }

    /** Operations per second of a unit; at least {@code operations} are done. */
    double compute(CudaStream stream, HardwareLimit kind, long operations) {
        Unit unit = units().get(kind);
        if (unit == null) {
            throw new UnsupportedOpException(device + ": measures no " + kind.title());
        }
        long round = grid() * unit.operations();
        long rounds = Math.ceilDiv(operations, round);
        return rounds * round / seconds(stream, unit, grid(), 0, rounds);
    }

    private long grid() {
        return (long) BLOCKS * device.chip().multiprocessors();
    }

    private double seconds(CudaStream stream, Unit unit, long blocks, long address, long count) {
        return Timers.time(device, stream, () -> launch(stream, unit, blocks, address, count)) / 1e9;
    }

    private void launch(CudaStream stream, Unit unit, long blocks, long address, long count) {
        Function function = device.functions().of(MODULE, unit.kernel(), unit.sharedBytes(), 1);
        stream.append(() -> {
            MemorySegment call = stream.calls(1);
            call.set(ValueLayout.JAVA_LONG, 0, address);
            call.set(ValueLayout.JAVA_LONG, CallLayout.ATTRIBUTES, count);
            call.set(ValueLayout.JAVA_LONG, CallLayout.ATTRIBUTES + 8, UNLIKELY);
            stream.add(new Launch(function, Grid.of(blocks), unit.threads(), unit.sharedBytes(), call));
        });
    }

    /** Lets the stream do nothing for a while. */
    void pause(CudaStream stream, long nanos) {
        launch(stream, new Unit("pause", 1, 0, 0), 1, 0, nanos);
    }
}
