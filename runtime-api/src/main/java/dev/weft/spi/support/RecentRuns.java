package dev.weft.spi.support;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * What a recording device knows about running with some extents. It keeps a bounded number of recordings, of which the one
 * that was not used for longest gives way, and as many extents without one: extents of one step only, as prompts have, push
 * out nothing that is replayed. Used by one thread.
 *
 * @param <K> extents
 * @param <R> what is known about them
 */
public final class RecentRuns<K, R> implements AutoCloseable {
    private final int kept;
    private final Predicate<R> isRecorded;
    private final Consumer<R> destroyer;
    private final Map<K, R> runs = new LinkedHashMap<>(16, 0.75f, true);

    /**
     * @param kept recordings to keep
     * @param isRecorded whether something is recorded for a run
     * @param destroyer destroys what is recorded
     */
    public RecentRuns(int kept, Predicate<R> isRecorded, Consumer<R> destroyer) {
        this.kept = kept;
        this.isRecorded = isRecorded;
        this.destroyer = destroyer;
    }

    /** What is known about some extents, {@code fresh} if nothing is. */
    public R of(K extents, Supplier<R> fresh) {
        R known = runs.get(extents);
        if (known != null) {
            return known;
        }
        makeRoom(isRecorded.negate());
        R run = fresh.get();
        runs.put(extents, run);
        return run;
    }

    /** Destroys what gives way to another recording. */
    public void makeRoomForRecording() {
        makeRoom(isRecorded);
    }

    private void makeRoom(Predicate<R> kind) {
        List<Map.Entry<K, R>> alike =
                runs.entrySet().stream().filter(e -> kind.test(e.getValue())).toList();
        if (alike.size() >= kept) {
            runs.remove(alike.getFirst().getKey());
            destroyer.accept(alike.getFirst().getValue());
        }
    }

    /** What is known, in the order of its last use. */
    public List<R> all() {
        return List.copyOf(runs.values());
    }

    /** Destroys everything. */
    @Override
    public void close() {
        List<R> all = all();
        runs.clear();
        all.forEach(destroyer);
    }
}
