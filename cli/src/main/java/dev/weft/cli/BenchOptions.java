package dev.weft.cli;

import dev.weft.RequestException;
import dev.weft.bench.Rounds;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.DeviceInfo;
import java.util.List;
import java.util.function.Consumer;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options of all benchmarks: where they run, how often, and what is written. */
final class BenchOptions {
    /** Rounds before those that count: kernels are compiled and memory is mapped. */
    private static final int WARM_UP = 3;

    private static final int ROUNDS = 50;

    private final int warmUp;

    @Mixin
    private final BenchOutput output = new BenchOutput();

    @Option(
            names = "--device",
            paramLabel = "ID",
            split = ",",
            description = "Devices, as in cpu:0 or cpu:0/avx2; ascend:local for the one whose number a rank has on its"
                    + " host. Default: the best.")
    private List<String> devices = List.of();

    @Option(
            names = {"-t", "--threads"},
            paramLabel = "N",
            split = ",",
            defaultValue = "0",
            description = "Worker threads of the CPU. Default: one per processor.")
    private List<Integer> threads = List.of();

    @Option(
            names = {"-r", "--rounds", "--repetitions"},
            paramLabel = "N",
            description = "Rounds, each of the work and its limits in turn. Default: 50, for whole models 5.")
    private int rounds;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1",
            description = "Seed of the random data. Default: ${DEFAULT-VALUE}.")
    private long seed;

    BenchOptions() {
        this(ROUNDS, WARM_UP);
    }

    /**
     * @param rounds rounds unless others are asked for
     * @param warmUp rounds before them
     */
    BenchOptions(int rounds, int warmUp) {
        this.rounds = rounds;
        this.warmUp = warmUp;
    }

    /**
     * Opens the devices asked for, with each number of threads.
     *
     * @throws RequestException if the times of one would not be those of hardware; before anything is measured
     */
    void eachDevice(Consumer<Device> measure) {
        threads.forEach(ModelOptions::requireThreads);
        for (int count : threads) {
            try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(count))) {
                List<Device> chosen = devices.isEmpty()
                        ? List.of(weft.best())
                        : devices.stream()
                                .map(id -> weft.device(LocalDevice.id(id)))
                                .toList();
                chosen.forEach(d -> requireHardware(d.info()));
                chosen.forEach(measure);
            }
        }
    }

    static void requireHardware(DeviceInfo info) {
        if (info.isEmulator()) {
            throw new RequestException("device " + info.id() + ": found tier " + info.tier()
                    + ", whose times say nothing about hardware; expected hardware or reference");
        }
    }

    /** The number of rounds. @throws UsageException if it is not positive */
    Rounds rounds() {
        output.check();
        return new Rounds(positive("--rounds", rounds), warmUp);
    }

    long seed() {
        return seed;
    }

    BenchOutput output() {
        return output;
    }

    /** What is to be measured, each once. @throws UsageException if it is nothing */
    static <T> List<T> each(String option, List<T> values) {
        if (values.isEmpty()) {
            throw new UsageException(option + ": found none, expected one or more");
        }
        return values.stream().distinct().toList();
    }

    /** A value given. @throws UsageException if it is not positive */
    static int positive(String option, int value) {
        if (value < 1) {
            throw new UsageException(option + ": found " + value + ", expected 1 or more");
        }
        return value;
    }
}
