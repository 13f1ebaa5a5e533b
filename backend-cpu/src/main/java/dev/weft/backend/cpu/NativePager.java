package dev.weft.backend.cpu;

import dev.weft.CheckpointException;
import dev.weft.DeviceMemoryException;
import dev.weft.NativeCallException;
import dev.weft.WeftException;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightFile;
import dev.weft.spi.WeightLayout;
import dev.weft.spi.WeightPager;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The pager of the native library: opens the files for it and says in words what it reports. */
final class NativePager implements WeightPager {
    /** Words of a {@code weft_origin}. */
    private static final int ORIGIN_WORDS = 4;

    private final WeftLibrary library;
    private final Consumer<NativePager> onClose;
    private final Map<WeightFile, Long> files = new HashMap<>();
    private final Map<Long, Added> weights = new HashMap<>();
    private long pager;

    /**
     * What was added, for messages.
     *
     * @param unitsPerPart parts hold whole units
     * @param dataBytes element bytes of a unit in its file
     * @param scaleBytes scale bytes of a unit in its file
     */
    private record Added(WeightData source, long unitsPerPart, long dataBytes, long scaleBytes) {
        static Added of(NativePaging paging, WeightData source) {
            return new Added(
                    source,
                    paging.units() / source.parts().size(),
                    paging.unit().maxDataBytes(),
                    paging.unit().maxScaleBytes());
        }

        /** Where the part lies that unit {@code index} belongs to. */
        WeightData.Origin origin(long index) {
            WeightData.Origin origin =
                    source.parts().get(Math.toIntExact(index / unitsPerPart)).origin();
            if (origin == null) {
                throw new WeftException("weight " + source.name() + ": lies in memory, expected files to page it from");
            }
            return origin;
        }

        long dataOffset(long index) {
            return index % unitsPerPart * dataBytes;
        }

        long scaleOffset(long index) {
            return index % unitsPerPart * scaleBytes;
        }
    }

    /** Codes of {@code weft_page_error}. */
    private static final int IO = 1;

    private static final int SHORT = 2;
    private static final int NAN_SCALE = 3;
    private static final int NO_SLOT = 4;

    NativePager(WeftLibrary library, long slots, long slotBytes, long slotCount, Consumer<NativePager> onClose) {
        this.library = library;
        this.onClose = onClose;
        this.pager = library.createPager(MemorySegment.ofAddress(slots), slotBytes, slotCount);
        if (pager == 0) {
            throw new DeviceMemoryException("pager: the system has no memory for the table of " + slotCount + " slots");
        }
    }

    @Override
    public synchronized long add(WeightLayout.Paging paging, WeightData source, long home) {
        if (!(paging instanceof NativePaging how)
                || how.units() % source.parts().size() != 0) {
            throw new WeftException("weight " + source.name() + ": found " + paging + " for "
                    + source.parts().size()
                    + " parts, expected a paging of this device with whole units in every part");
        }
        Added added = Added.of(how, source);
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment origins = scratch.allocate(8L * ORIGIN_WORDS * how.units(), 8);
            for (long i = 0; i < how.units(); i++) {
                WeightData.Origin origin = added.origin(i);
                long at = i * ORIGIN_WORDS;
                origins.setAtIndex(ValueLayout.JAVA_LONG, at, file(origin.data()));
                origins.setAtIndex(ValueLayout.JAVA_LONG, at + 1, origin.data().offset() + added.dataOffset(i));
                if (origin.scale() != null) {
                    origins.setAtIndex(ValueLayout.JAVA_LONG, at + 2, file(origin.scale()));
                    origins.setAtIndex(
                            ValueLayout.JAVA_LONG, at + 3, origin.scale().offset() + added.scaleOffset(i));
                }
            }
            KernelArguments words = new KernelArguments(List.of(how.unit()), scratch);
            long paged = library.addPaged(
                    pager,
                    words.words(),
                    how.packed() ? 1 : 0,
                    how.units(),
                    how.unitBytes(),
                    MemorySegment.ofAddress(home),
                    origins);
            if (paged == 0) {
                throw new NativeCallException("weft_pager_add: refused weight " + source.name() + " " + source.type());
            }
            weights.put(paged, added);
            return paged;
        }
    }

    private long file(WeightData.Stored stored) {
        return files.computeIfAbsent(stored.file(), f -> open(f, stored));
    }

    private long open(WeightFile file, WeightData.Stored stored) {
        try (Arena scratch = Arena.ofConfined()) {
            long descriptor = library.openFile(scratch.allocateFrom(file.path().toString()));
            if (descriptor < 0) {
                throw new CheckpointException(
                        stored + ": cannot be opened for reading on demand: error " + -descriptor + " of the system");
            }
            long bytes = library.fileBytes(descriptor);
            if (bytes != file.bytes()) {
                library.closeFile(descriptor);
                throw new CheckpointException(file.path() + ": had " + file.bytes() + " bytes when opened and has "
                        + bytes + " now; it was shortened or replaced");
            }
            return descriptor;
        }
    }

    @Override
    public synchronized Counters counters() {
        if (pager == 0) {
            return Counters.NONE;
        }
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment words = scratch.allocate(4 * 8L, 8);
            library.pagerCounters(pager, words);
            return new Counters(word(words, 0), word(words, 1), word(words, 2), word(words, 3));
        }
    }

    private static long word(MemorySegment words, int i) {
        return words.getAtIndex(ValueLayout.JAVA_LONG, i);
    }

    /** Why the weight {@code paged} could not be read in the last run; empty if it is not of this pager. */
    synchronized Optional<WeftException> failure(long paged) {
        @Nullable Added added = weights.get(paged);
        if (added == null || pager == 0) {
            return Optional.empty();
        }
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment words = scratch.allocate(4 * 8L, 8);
            library.pagerFailure(pager, words);
            return Optional.of(describe(added, word(words, 0), word(words, 2), word(words, 3)));
        }
    }

    private WeftException describe(Added added, long error, long unit, long detail) {
        WeightData.Origin origin = added.origin(unit);
        String subject = origin.data() + " (unit " + unit + " of weight "
                + added.source().name() + ")";
        return switch ((int) error) {
            case IO -> new CheckpointException(subject + ": reading failed with error " + detail + " of the system");
            case SHORT ->
                new CheckpointException(subject + ": the file ends at " + detail
                        + ", within the tensor or its scales; it was shortened after opening");
            case NAN_SCALE -> WeightData.nanScale(origin.scale(), added.scaleOffset(unit) + detail);
            case NO_SLOT ->
                new DeviceMemoryException(subject + ": the step needs more units at once than the " + detail
                        + " slots; raise the memory limit or run fewer tokens at once");
            default -> new DeviceMemoryException(subject + ": the system has no memory to read it");
        };
    }

    @Override
    public synchronized void close() {
        if (pager != 0) {
            library.destroyPager(pager);
            pager = 0;
            files.values().forEach(library::closeFile);
            onClose.accept(this);
        }
    }
}
