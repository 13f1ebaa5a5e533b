package dev.weft.benchmarks.peer;

import dev.weft.benchmarks.Contender;
import dev.weft.benchmarks.work.Work;
import java.util.List;
import java.util.Optional;

/** Another library that may be on this machine. */
public sealed interface Peer {
    /** Name of the library. */
    String name();

    /** All peers, looked for now. @param threads threads they may use */
    static List<Peer> find(int threads) {
        return List.of(Ggml.find(threads), OneDnn.find(threads), OpenBlas.find(threads), OnnxRuntime.find(threads));
    }

    /** Not here. @param reason where it was looked for */
    record Absent(String name, String reason) implements Peer {}

    /** Here, and ready to compute. */
    non-sealed interface Present extends Peer {
        /** Version and kernels, for reports. */
        String description();

        /** This peer's contender for a work, prepared; empty if the library has no such operation. */
        Optional<Contender> enter(Work work);
    }
}
