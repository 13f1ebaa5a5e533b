package dev.weft.cli;

import dev.weft.model.LoadOptions;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import dev.weft.ranks.Launch;
import dev.weft.ranks.Ranks;
import dev.weft.runtime.Device;
import dev.weft.spi.Communicator;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options of commands that run a model over ranks when a launcher has started them: rank 0 works, the others follow it. */
final class RankOptions {
    /** Rows of a rank in a step of a spread prompt. */
    private static final int SPREAD_TOKENS = 1024;

    @Option(
            names = "--spread",
            paramLabel = "PART",
            split = ",",
            description =
                    "Under mpirun or srun, what is spread over the ranks besides the routed experts: head (embedding"
                            + " and output head), output (output projections of attention), context (long prompts). head=N"
                            + " and output=N spread over blocks of N consecutive ranks; without a number over the largest"
                            + " that the model's sizes allow.")
    private List<String> spread = List.of();

    @Option(
            names = "--fixed-dispatch",
            paramLabel = "TOKENS",
            description =
                    "Under mpirun or srun, up to how many tokens per rank a step sends its rows to the experts in the"
                            + " fixed layout, which waits for no counts and moves more bytes; 0 for never. Default: 32 on"
                            + " devices that move rows themselves, else 0.")
    private @Nullable Integer fixedTokens;

    @Mixin
    private final RankDeadline deadline = new RankDeadline();

    private final Map<Device, Communicator> groups = new HashMap<>();

    /** What a process does, alone or as a rank. */
    interface Work {
        /** @param world the ranks, null for a process alone. @return exit code */
        int run(@Nullable Communicator world) throws IOException;
    }

    /** Works as a rank if a launcher says so, else alone. @return exit code */
    int run(Terminal terminal, Work work) throws IOException {
        Launch launch = Launch.of(System.getenv());
        if (fixedTokens != null && fixedTokens < 0) {
            throw new UsageException("--fixed-dispatch: found " + fixedTokens + ", expected 0 tokens or more");
        }
        Spread.of(spread); // refused before anybody is waited for
        Duration limit = deadline.get();
        if (!launch.isGroup()) {
            if (!spread.isEmpty()) {
                throw new UsageException("--spread: found one process, expected ranks: start it under mpirun or srun");
            }
            if (fixedTokens != null) {
                throw new UsageException(
                        "--fixed-dispatch: found one process, expected ranks: start it under mpirun or srun");
            }
            return work.run(null);
        }
        return Ranks.run(launch, limit, Map.of("weft", Version.text()), work::run, e -> Errors.rankFailed(terminal, e));
    }

    /** The group in which the ranks use a device; joined once, it ends with the device. */
    Communicator group(Communicator world, Device device) {
        return groups.computeIfAbsent(device, d -> Ranks.group(world, d.spi(), deadline.get()));
    }

    /** Bounds that suit the layout: two parts of a long prompt are more rows than a step needs otherwise. */
    LoadOptions bounds(LoadOptions wanted) {
        return Spread.of(spread).context() ? wanted.maxTokens(Math.max(SPREAD_TOKENS, wanted.maxTokens())) : wanted;
    }

    /** How a model is laid out. */
    ParallelPlan plan(int ranks, ModelConfig config) {
        ParallelPlan plan = Spread.of(spread).plan(ranks, config);
        return fixedTokens == null ? plan : plan.withFixedTokens(fixedTokens);
    }
}
