package dev.weft.cli;

import dev.weft.RequestException;
import dev.weft.bench.Rounds;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.DeviceInfo;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of all benchmarks: where they run and how often. */
final class BenchOptions {
    /** Rounds before those that count: kernels are compiled and memory is mapped. */
    private static final int WARM_UP = 3;

    private static final int ROUNDS = 50;

    @Option(
            names = "--device",
            paramLabel = "ID",
            description = "Device, as in cpu:0 or cpu:0/avx2. Default: the best.")
    private @Nullable String device;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "0",
            description = "Worker threads of the CPU. Default: one per processor.")
    private int threads;

    @Option(
            names = "--rounds",
            paramLabel = "N",
            description = "Rounds, each of the work and its limits in turn. Default: 50, for whole models 5.")
    private int rounds;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1",
            description = "Seed of the random data. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    BenchOptions() {
        this(ROUNDS);
    }

    /** @param rounds rounds unless others are asked for */
    BenchOptions(int rounds) {
        this.rounds = rounds;
    }

    /** Finds the backends with the settings given. */
    Weft openWeft() {
        return Weft.open(BackendConfig.DEFAULT.withThreads(ModelOptions.requireThreads(threads)));
    }

    /** The device asked for. @throws RequestException if its times would not be those of hardware */
    Device device(Weft weft) {
        Device chosen = device == null ? weft.best() : weft.device(device);
        requireHardware(chosen.info());
        return chosen;
    }

    static void requireHardware(DeviceInfo info) {
        if (info.isEmulator()) {
            throw new RequestException("device " + info.id() + ": found tier " + info.tier()
                    + ", whose times say nothing about hardware; expected hardware or reference");
        }
    }

    /** The number of rounds. @throws UsageException if it is not positive */
    Rounds rounds() {
        return new Rounds(positive("--rounds", rounds), WARM_UP);
    }

    long seed() {
        return seed;
    }

    boolean json() {
        return json;
    }

    /** A value given. @throws UsageException if it is not positive */
    static int positive(String option, int value) {
        if (value < 1) {
            throw new UsageException(option + ": found " + value + ", expected 1 or more");
        }
        return value;
    }
}
