package dev.weft.cli;

import dev.weft.ranks.Ranks;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The option that says how long ranks wait for each other. */
final class RankDeadline {
    @Option(
            names = "--ranks-deadline",
            paramLabel = "SECONDS",
            description = "How long a rank waits for the others, loading included (default: 300).")
    private @Nullable Double seconds;

    /** @throws dev.weft.ranks.LaunchException if it is no time that a call could wait */
    Duration get() {
        return seconds == null ? Ranks.deadline() : Ranks.seconds(seconds);
    }
}
