package dev.weft.benchmarks;

import com.sun.management.ThreadMXBean;
import dev.weft.backend.cpu.StepOverhead;
import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.Session;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * What a decoding step costs besides its arithmetic: the steps of a model with nothing in the loops of its kernels, per
 * layer of the model, and the bytes that a step allocates on the heap.
 */
@Command(
        name = "overhead",
        mixinStandardHelpOptions = true,
        description = "Times decoding steps on cpu:0 whose kernels' loops are empty.")
public final class Overhead implements Callable<Integer> {
    /** Steps in a window; the overhead of a window is the mean of its steps. */
    private static final int WINDOW = 50;

    @Spec
    private @Nullable CommandSpec spec;

    @Parameters(paramLabel = "MODEL", description = "Folder of the checkpoint.")
    private Path model = Path.of("");

    @Option(names = "--threads", split = ",", defaultValue = "1,2", description = "Default: ${DEFAULT-VALUE}.")
    private List<Integer> threads = List.of();

    @Option(names = "--steps", defaultValue = "10000", description = "Default: ${DEFAULT-VALUE}.")
    private int steps;

    /** Runs the program. */
    public static void main(String[] arguments) {
        System.exit(Program.of(new Overhead()).execute(arguments));
    }

    /**
     * What was measured.
     *
     * @param layers of the model
     * @param step seconds of a step
     * @param heapBytes of a step
     */
    record Measured(int layers, Timings step, double heapBytes) {
        double microsecondsPerLayer(double seconds) {
            return seconds * 1e6 / layers;
        }
    }

    @Override
    public Integer call() {
        for (int t : threads) {
            Program.require(spec, "--threads", t, 1);
        }
        Program.require(spec, "--steps", steps, WINDOW + 1);
        for (int t : threads) {
            Measured m = measure(model, t, steps);
            System.out.printf(
                    Locale.ROOT,
                    "%d layers, %d threads: p10 %.2f, median %.2f, p90 %.2f us a layer; %.1f us a step; %.2f heap"
                            + " bytes a step%n",
                    m.layers,
                    t,
                    m.microsecondsPerLayer(m.step.p10()),
                    m.microsecondsPerLayer(m.step.median()),
                    m.microsecondsPerLayer(m.step.quantile(0.9)),
                    m.step.median() * 1e6,
                    m.heapBytes);
        }
        return 0;
    }

    /** Decodes {@code steps} tokens that count, after as many that do not. */
    static Measured measure(Path folder, int threads, int steps) {
        LoadOptions options = LoadOptions.defaults().maxContext(2 * steps + 2).maxTokens(1);
        try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(threads));
                Checkpoint checkpoint = Checkpoint.open(folder);
                DeepSeekV4 model = DeepSeekV4.load(checkpoint, weft.device("cpu:0"), options);
                Session session = model.newSession()) {
            float[] logits = session.append(1);
            long[] allocated = new long[2];
            int[] done = {0};
            // the recorded step and the warm-up, then those that count
            Runnable step = () -> {
                session.append(1, logits);
                int n = ++done[0];
                if (n == steps + 1) {
                    allocated[0] = heapBytes();
                } else if (n == 2 * steps) {
                    allocated[1] = heapBytes();
                }
            };
            long[] nanoseconds = StepOverhead.nanoseconds(step, steps, steps - 1);
            double[] windows = new double[(steps - 1) / WINDOW];
            for (int w = 0; w < windows.length; w++) {
                for (int i = 0; i < WINDOW; i++) {
                    windows[w] += nanoseconds[w * WINDOW + i] * 1e-9 / WINDOW;
                }
            }
            double bytes = (double) (allocated[1] - allocated[0]) / (steps - 1);
            return new Measured(model.config().numHiddenLayers(), new Timings(windows), bytes);
        }
    }

    private static long heapBytes() {
        return ManagementFactory.getThreadMXBean() instanceof ThreadMXBean bean
                ? bean.getCurrentThreadAllocatedBytes()
                : 0;
    }
}
