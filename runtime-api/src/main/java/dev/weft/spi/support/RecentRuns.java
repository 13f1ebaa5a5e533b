package dev.weft.spi.support;

import dev.weft.spi.Closing;
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
     * @param kept recordings to keep, 1 or more
     * @param isRecorded whether something is recorded for a run
     * @param destroyer destroys what is recorded
     */
    public RecentRuns(int kept, Predicate<R> isRecorded, Consumer<R> destroyer) {
        if (kept < 1) {
            throw new IllegalArgumentException("recordings to keep: found " + kept + ", expected 1 or more");
        }
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
        for (Map.Entry<K, R> oldest : alike.subList(0, Math.max(0, alike.size() - kept + 1))) {
            runs.remove(oldest.getKey());
            destroyer.accept(oldest.getValue());
        }
    }

    /** What is known, in the order of its last use. */
    public List<R> all() {
        return List.copyOf(runs.values());
    }

    /** Destroys everything, even if something fails on the way; the first failure is thrown. */
    @Override
    public void close() {
        List<R> all = all();
        runs.clear();
        Closing.all(
                all.stream().map(r -> (AutoCloseable) () -> destroyer.accept(r)).toList());
    }
}
