package dev.weft.benchmarks;

import dev.weft.benchmarks.own.GraphContender;
import dev.weft.benchmarks.peer.Peer;
import dev.weft.benchmarks.work.AttentionWork;
import dev.weft.benchmarks.work.ExpertWork;
import dev.weft.benchmarks.work.Format;
import dev.weft.benchmarks.work.GemmWork;
import dev.weft.benchmarks.work.Work;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Own kernels, other libraries and the machine's limits, alternating in one process. */
@Command(
        name = "compare",
        mixinStandardHelpOptions = true,
        description = "Times this library, its peers and the machine's limits on the same work, alternating.")
public final class Compare implements Callable<Integer> {
    /** Shapes of V4-Flash's experts. */
    private static final int K = 4096;

    private static final int N = 2048;
    private static final int EXPERTS = 256;
    private static final int TOP = 6;
    private static final int HEADS = 64;
    private static final int WIDTH = 512;

    @Option(names = "--device", defaultValue = "cpu:0", description = "Device to measure. Default: ${DEFAULT-VALUE}.")
    private String device = "";

    @Option(names = "--threads", defaultValue = "1", description = "Threads of everyone. Default: ${DEFAULT-VALUE}.")
    private int threads;

    @Option(names = "--rounds", defaultValue = "50", description = "Rounds. Default: ${DEFAULT-VALUE}.")
    private int rounds;

    @Option(names = "--only", description = "Only works whose name contains this, for example 'gemm mxfp4 m=1 '.")
    private String only = "";

    @Option(names = "--experts", defaultValue = "256", description = "Routed experts. Default: ${DEFAULT-VALUE}.")
    private int experts = EXPERTS;

    @Option(names = "--json", description = "Print one JSON document instead of the table.")
    private boolean json;

    /** A work to be made when its turn comes: data of all would not fit. */
    private record Candidate(String name, Supplier<Work> maker) {}

    /** Runs the program. */
    public static void main(String[] arguments) {
        System.exit(new CommandLine(new Compare()).execute(arguments));
    }

    private List<Candidate> candidates() {
        List<Candidate> all = new ArrayList<>();
        for (Format f : List.of(Format.MXFP4, Format.FP8, Format.BF16, Format.F32)) {
            boolean dense = !f.quantised();
            for (int m : dense ? new int[] {1, 64, 512} : new int[] {1, 8, 64, 512}) {
                String name = "gemm %s m=%d ".formatted(f.name().toLowerCase(Locale.ROOT), m);
                all.add(new Candidate(name, () -> new GemmWork(f, m, K, N)));
            }
        }
        for (int keys : new int[] {640, 8320}) {
            for (int m : new int[] {1, 64}) {
                String name = "attention bf16 m=%d keys=%d".formatted(m, keys);
                all.add(new Candidate(name, () -> new AttentionWork(m, keys, HEADS, WIDTH)));
            }
        }
        for (int m : new int[] {1, 8, 64}) {
            all.add(new Candidate("experts mxfp4 m=%d ".formatted(m), () -> new ExpertWork(m, K, N, experts, TOP)));
        }
        return all;
    }

    @Override
    public Integer call() {
        Report report = new Report(System.out, json);
        List<Peer> peers = Peer.find(threads);
        boolean failed = false;
        try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(threads))) {
            Device d = weft.device(device);
            report.begin(d.info().description(), threads, rounds, peers);
            for (Candidate c :
                    candidates().stream().filter(c -> c.name().contains(only)).toList()) {
                try (Work work = c.maker().get()) {
                    report.add(measure(d, work, peers));
                } catch (IllegalStateException e) {
                    report.fail(c.name().strip(), e.getMessage());
                    failed = true;
                }
            }
        }
        report.end();
        return failed ? 1 : 0;
    }

    private Contest.Outcome measure(Device d, Work work, List<Peer> peers) {
        List<Contender> contenders = new ArrayList<>();
        List<Limit> limits = DeviceLimit.of(d, work);
        try {
            contenders.add(GraphContender.of(d, work));
            present(peers).forEach(p -> p.enter(work).ifPresent(contenders::add));
            return new Contest(work, contenders, limits).run(rounds);
        } finally {
            contenders.forEach(Contender::close);
            limits.forEach(Limit::close);
        }
    }

    private static Stream<Peer.Present> present(List<Peer> peers) {
        return peers.stream().filter(Peer.Present.class::isInstance).map(Peer.Present.class::cast);
    }
}
