package dev.weft.benchmarks;

import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * How fast a checkpoint is loaded on {@code cpu:0}, weights packed, against a plain read of its files by as many threads into
 * memory that nothing has touched. Both in turns; from the system's cache, or from the disk.
 */
@Command(
        name = "loading",
        mixinStandardHelpOptions = true,
        description = "Times loading a model against reading its files.")
public final class Loading implements Callable<Integer> {
    private static final long PIECE = 64L << 20;

    @Spec
    private @Nullable CommandSpec spec;

    @Parameters(paramLabel = "MODEL", description = "Folder of the checkpoint.")
    private Path model = Path.of("");

    @Option(names = "--threads", split = ",", defaultValue = "1,2", description = "Default: ${DEFAULT-VALUE}.")
    private List<Integer> threads = List.of();

    @Option(names = "--rounds", defaultValue = "5", description = "Default: ${DEFAULT-VALUE}.")
    private int rounds;

    @Option(names = "--cold", description = "Have the system forget the files before each time, by GNU dd.")
    private boolean cold;

    /** Runs the program. */
    public static void main(String[] arguments) {
        System.exit(Program.of(new Loading()).execute(arguments));
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Program.require(spec, "--rounds", rounds, 1);
        for (int t : threads) {
            Program.require(spec, "--threads", t, 1);
        }
        List<Path> files = shards(model);
        long bytes = 0;
        for (Path f : files) {
            bytes += Files.size(f);
        }
        for (int t : threads) {
            double[] read = new double[rounds];
            double[] load = new double[rounds];
            for (int i = -1; i < rounds; i++) { // the first compiles and fills the cache
                double[] seconds = {timed(files, () -> read(files, t)), timed(files, () -> load(model, t))};
                if (i >= 0) {
                    read[i] = seconds[0];
                    load[i] = seconds[1];
                }
            }
            print(t, bytes, new Timings(read), new Timings(load));
        }
        return 0;
    }

    private void print(int t, long bytes, Timings read, Timings load) {
        Timings share = read.over(load);
        System.out.printf(
                Locale.ROOT,
                "%.2f GB from %s, %d threads: read %.2f, load %.2f GB/s (medians of %d rounds); load reaches %.2f of it"
                        + " (p10 %.2f)%n",
                bytes * 1e-9,
                cold ? "disk" : "cache",
                t,
                bytes * 1e-9 / read.median(),
                bytes * 1e-9 / load.median(),
                read.rounds().length,
                share.median(),
                share.p10());
    }

    static List<Path> shards(Path folder) throws IOException {
        try (Stream<Path> all = Files.list(folder)) {
            List<Path> shards = all.filter(f -> f.toString().endsWith(".safetensors"))
                    .sorted()
                    .toList();
            if (shards.isEmpty()) {
                throw new IOException(folder + ": found no .safetensors file, expected the folder of a checkpoint");
            }
            return shards;
        }
    }

    /** What is timed. */
    private interface Work {
        void run() throws IOException, InterruptedException;
    }

    private double timed(List<Path> files, Work work) throws IOException, InterruptedException {
        if (cold) {
            for (Path f : files) {
                forget(f);
            }
        }
        long start = System.nanoTime();
        work.run();
        return (System.nanoTime() - start) * 1e-9;
    }

    private static void forget(Path file) throws IOException, InterruptedException {
        Process dd = new ProcessBuilder("dd", "of=" + file, "oflag=nocache", "conv=notrunc,fdatasync", "count=0")
                .redirectErrorStream(true)
                .start();
        String output = new String(dd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (dd.waitFor() != 0) {
            throw new IOException("dd: found \"" + output.strip() + "\", expected that it forgets " + file);
        }
    }

    private static void load(Path model, int threads) throws IOException {
        LoadOptions options = LoadOptions.defaults().maxContext(1024).maxTokens(1);
        try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(threads));
                Checkpoint checkpoint = Checkpoint.open(model)) {
            DeepSeekV4.load(checkpoint, weft.device("cpu:0"), options).close();
        }
    }

    /** Reads all files in pieces, each at its place in fresh memory. */
    static void read(List<Path> files, int threads) throws IOException, InterruptedException {
        long bytes = 0;
        for (Path f : files) {
            bytes += Files.size(f);
        }
        try (FreshMemory memory = new FreshMemory(bytes);
                ExecutorService pool = Executors.newFixedThreadPool(threads)) {
            List<Future<?>> pieces = new ArrayList<>();
            long at = 0;
            for (Path f : files) {
                long size = Files.size(f);
                for (long from = 0; from < size; from += PIECE) {
                    long begin = from;
                    ByteBuffer to = memory.at(at + from, Math.min(PIECE, size - from));
                    pieces.add(pool.submit(() -> readPiece(f, begin, to)));
                }
                at += size;
            }
            for (Future<?> piece : pieces) {
                piece.get();
            }
        } catch (ExecutionException e) {
            throw new IOException("reading " + files + ": " + e.getCause(), e);
        }
    }

    private static @Nullable Void readPiece(Path file, long from, ByteBuffer to) throws IOException {
        try (FileChannel channel = FileChannel.open(file)) {
            while (to.hasRemaining()) {
                if (channel.read(to, from + to.position()) < 0) {
                    throw new EOFException(file + ": ends at " + (from + to.position()));
                }
            }
        }
        return null;
    }
}
