package dev.weft.backend.cuda;

import dev.weft.TensorType;
import dev.weft.backend.cuda.kernel.Attributes;
import dev.weft.backend.cuda.kernel.Chip;
import dev.weft.backend.cuda.kernel.Emit;
import dev.weft.backend.cuda.kernel.Grid;
import dev.weft.backend.cuda.kernel.StreamCall;
import dev.weft.backend.cuda.kernel.Way;
import dev.weft.op.OpInstance;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * The launches of one call: what a {@link Way} writes becomes parameters and goes to a sink.
 *
 * @param op the instance
 * @param chip the device
 * @param attributes of the way
 * @param tables their addresses
 * @param functions where kernels come from
 * @param arguments of this call
 * @param sink where launches go
 */
record Emission(
        OpInstance op,
        Chip chip,
        Attributes attributes,
        List<Long> tables,
        Functions functions,
        KernelArguments arguments,
        Sink sink)
        implements Emit {
    /** An address that stands for none: for emissions that only look which kernels there are. */
    private static final long NOWHERE = 1L << 40;

    /** Takes launches. */
    interface Sink {
        /** Room for the counters of a launch, and for those of each of its parts. */
        long COUNTER_BYTES = 256;

        long PART_COUNTER_BYTES = 16;

        /** Room for the parameter of the next launch, so many times {@link CallLayout#BYTES}. */
        MemorySegment calls(int count);

        /** Takes a launch whose parameter is in {@link #call}. */
        void add(Launch launch);

        /** Takes work of another library. */
        void add(StreamCall call);

        /**
         * Address of {@link #COUNTER_BYTES} that are zero before each launch of this sink, which run one after another, and that each
         * must leave so: by them the blocks of a part find out how far the others are.
         */
        long counters();
    }

    @Override
    public void launch(String module, String function, Grid grid, int threads, int sharedBytes, long... words) {
        if (grid.isEmpty()) {
            return;
        }
        Function loaded = functions.of(module, function, sharedBytes, 1);
        MemorySegment call = sink.calls(1);
        CallLayout.write(call, arguments, attributes.words(), words, tables);
        sink.add(new Launch(loaded, grid, threads, sharedBytes, call));
    }

    @Override
    public void call(StreamCall call) {
        sink.add(call);
    }

    @Override
    public boolean hasOwnFeatures(String module) {
        return functions.hasOwnFeatures(module);
    }

    /** Writes the launches of {@code way}; none if every result is empty. */
    void run(Way way) {
        if (hasResults()) {
            way.body().emit(this);
        }
    }

    private boolean hasResults() {
        for (int i = op.inputs().size(); i < arguments.count(); i++) {
            if (arguments.elements(i) > 0) {
                return true;
            }
        }
        return false;
    }

    /** A sink that only counts; a call of another library counts as one launch. */
    static final class Counter implements Sink {
        private final MemorySegment calls;
        private int launches;

        /** @param arena owner of the parameter */
        Counter(Arena arena) {
            this.calls = arena.allocate(CallLayout.MOST_CALLS * CallLayout.BYTES, 8);
        }

        int launches() {
            return launches;
        }

        @Override
        public MemorySegment calls(int count) {
            return calls.asSlice(0, count * CallLayout.BYTES);
        }

        @Override
        public void add(Launch launch) {
            launches++;
        }

        @Override
        public void add(StreamCall call) {
            launches++;
        }

        @Override
        public long counters() {
            return NOWHERE;
        }
    }

    /** Arguments at the largest extents and at no place. */
    static KernelArguments nowhere(List<TensorType> types, Arena arena) {
        KernelArguments arguments = new KernelArguments(types, arena);
        for (int i = 0; i < types.size(); i++) {
            arguments.bind(i, NOWHERE, types.get(i).scaling().isNone() ? 0 : NOWHERE);
        }
        arguments.workspace(NOWHERE);
        return arguments;
    }
}
