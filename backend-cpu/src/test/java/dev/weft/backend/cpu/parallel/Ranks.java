package dev.weft.backend.cpu.parallel;

import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.parallel.ParallelPlan;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Communicator;
import dev.weft.spi.support.LocalGroup;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * One model over ranks that are threads of this process, each with a device of its own.
 *
 * @param joined the group that a rank's device makes of that of the threads
 */
record Ranks(
        Path checkpoint,
        LoadOptions options,
        String device,
        BiFunction<Communicator, BackendDevice, Communicator> joined) {
    private static final Duration DEADLINE = Duration.ofSeconds(60);

    /** What a rank does with its share of the model. */
    interface Work<T> {
        T on(int rank, DeepSeekV4 model) throws Exception;
    }

    /** What every rank's work returned or threw, once all have ended. */
    <T> List<Future<T>> run(ParallelPlan plan, Work<T> work) {
        return run(plan, DEADLINE, work);
    }

    /** @param deadline so long a rank waits for the others */
    <T> List<Future<T>> run(ParallelPlan plan, Duration deadline, Work<T> work) {
        List<Communicator> groups = LocalGroup.of(plan.ranks(), deadline);
        List<Future<T>> results = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(plan.ranks())) {
            for (Communicator group : groups) {
                results.add(threads.submit(() -> {
                    try (group) {
                        return on(plan, group, work);
                    }
                }));
            }
        }
        return results;
    }

    /** What the work returns on one device. */
    <T> T alone(Work<T> work) throws Exception {
        return on(ParallelPlan.ALONE, null, work);
    }

    private <T> T on(ParallelPlan plan, @Nullable Communicator group, Work<T> work) throws Exception {
        try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(1));
                Checkpoint files = Checkpoint.open(checkpoint)) {
            Device on = weft.device(device);
            CompileOptions compile = group == null
                    ? CompileOptions.DEFAULT
                    : CompileOptions.DEFAULT.withGroup(joined.apply(group, on.spi()));
            try (DeepSeekV4 model = DeepSeekV4.load(files, on, options, compile, plan, bytes -> {})) {
                return work.on(group == null ? 0 : group.rank(), model);
            }
        }
    }
}
