package dev.weft.benchmarks.llama;

import dev.weft.bench.ModelBench;
import dev.weft.bench.Rounds;
import dev.weft.benchmarks.Program;
import dev.weft.benchmarks.Timings;
import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A model's tokens per second against those of {@code llama-bench} on the same weights, in turns: each round runs one and
 * then the other, some repetitions after one that does not count, and the rounds' medians are compared.
 */
@Command(
        name = "against-llama",
        mixinStandardHelpOptions = true,
        description = "Runs cpu:0 and llama.cpp in turns on one model in both formats.")
public final class AgainstLlama implements Callable<Integer> {
    @Spec
    private @Nullable CommandSpec spec;

    @Parameters(paramLabel = "MODEL", description = "Folder of the checkpoint.")
    private Path model = Path.of("");

    @Parameters(paramLabel = "GGUF", description = "What ExportGguf made of it.")
    private Path gguf = Path.of("");

    @Option(names = "--llama-bench", defaultValue = "llama-bench", description = "Default: ${DEFAULT-VALUE}.")
    private String llamaBench = "";

    @Option(names = "--threads", split = ",", defaultValue = "1,2", description = "Default: ${DEFAULT-VALUE}.")
    private List<Integer> threads = List.of();

    @Option(names = "-p", defaultValue = "512", description = "Tokens of the prompt. Default: ${DEFAULT-VALUE}.")
    private int prompt;

    @Option(names = "-n", defaultValue = "64", description = "Tokens one by one. Default: ${DEFAULT-VALUE}.")
    private int generate;

    @Option(names = "--rounds", defaultValue = "5", description = "Turns of both. Default: ${DEFAULT-VALUE}.")
    private int rounds;

    @Option(names = "-r", defaultValue = "3", description = "Repetitions in a turn. Default: ${DEFAULT-VALUE}.")
    private int repetitions;

    /** Runs the program. */
    public static void main(String[] arguments) {
        System.exit(Program.of(new AgainstLlama()).execute(arguments));
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Program.require(spec, "--rounds", rounds, 1);
        Program.require(spec, "-r", repetitions, 1);
        for (int t : threads) {
            Program.require(spec, "--threads", t, 1);
        }
        List<ModelBench> tests = List.of(new ModelBench(prompt, 0, 0, 1), new ModelBench(0, generate, 0, 1));
        for (int t : threads) {
            try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(t));
                    Checkpoint checkpoint = Checkpoint.open(model)) {
                Device device = weft.device("cpu:0");
                try (DeepSeekV4 loaded = DeepSeekV4.load(checkpoint, device, ModelBench.loadOptions(tests))) {
                    for (ModelBench test : tests) {
                        print(t, test, alternate(loaded, device, t, test));
                    }
                }
            }
        }
        return 0;
    }

    /** Seconds of both, one entry per round. */
    private record Turns(Timings own, Timings llama) {}

    private Turns alternate(DeepSeekV4 loaded, Device device, int t, ModelBench test)
            throws IOException, InterruptedException {
        double[] own = new double[rounds];
        double[] llama = new double[rounds];
        for (int i = 0; i < rounds; i++) {
            own[i] = test.run(loaded, device, i, new Rounds(repetitions, 1), done -> {})
                    .secondsMedian();
            llama[i] = llama(t, test);
        }
        return new Turns(new Timings(own), new Timings(llama));
    }

    private void print(int t, ModelBench test, Turns turns) {
        Timings ratio = turns.llama.over(turns.own);
        System.out.printf(
                Locale.ROOT,
                "%s, %d threads: weft %.1f, llama.cpp %.1f tokens/s (medians of %d rounds); weft is faster %.2f"
                        + " (p10 %.2f, p90 %.2f)%n",
                test.name(),
                t,
                test.tokens() / turns.own.median(),
                test.tokens() / turns.llama.median(),
                rounds,
                ratio.median(),
                ratio.p10(),
                ratio.quantile(0.9));
    }

    private double llama(int t, ModelBench test) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(llamaBench, "-m", gguf.toString(), "-o", "json"));
        command.addAll(List.of("-ngl", "0", "-t", "" + t, "-r", "" + repetitions));
        command.addAll(List.of("-p", "" + test.prompt(), "-n", "" + test.generate()));
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (InputStream out = process.getInputStream()) {
            String output = new String(out.readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) {
                throw new IOException(String.join(" ", command) + ": found status " + process.exitValue() + " and \""
                        + output.strip() + "\", expected 0");
            }
            return median(output, command);
        }
    }

    /** Median of the samples, in seconds, of the only test in llama-bench's JSON {@code output}. */
    static double median(String output, List<String> command) throws IOException {
        JsonNode samples;
        try {
            samples = JsonMapper.shared().readTree(output).path(0).path("samples_ns");
        } catch (JacksonException e) {
            throw noResult(output, command, e);
        }
        if (samples.isEmpty()) {
            throw noResult(output, command, null);
        }
        double[] seconds = new double[samples.size()];
        Arrays.setAll(seconds, i -> samples.get(i).asDouble() * 1e-9);
        return new Timings(seconds).median();
    }

    private static IOException noResult(String output, List<String> command, @Nullable Exception cause) {
        return new IOException(
                String.join(" ", command) + ": found \"" + output.strip() + "\", expected JSON with samples_ns", cause);
    }
}
