package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Weft;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** The command; the numbers themselves are tested where they are computed. */
class PlanTest {
    private static final Pattern TAG = Pattern.compile("<(/?)([a-z]+)((?: [\\w:-]+=\"[^\"<>]*\")*)(/?)>");

    @TempDir
    private Path folder;

    private static JsonNode json(Object... arguments) {
        List<Object> all = new ArrayList<>(List.of("plan", "--json"));
        all.addAll(List.of(arguments));
        Run run = Run.of(all.toArray());
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        return run.json();
    }

    @ParameterizedTest
    @CsvSource({
        "pro, 27.07, 3.69, 10.48, 9.54, 864704792696",
        "flash, 10.17, 9.83, 7.32, 13.67, 159609485896",
        "v3.2, 100.00, 1.00, 100.00, 1.00, 689469018240",
    })
    void theHeadlineInJson(
            String model, String flops, String lower, String cache, String smaller, long checkpointBytes) {
        Run run = Run.of("plan", "--model", model, "--context", 1_000_000, "--json");
        assertThat(run.err()).isEmpty();
        // as text: two decimals, even where they are zeros
        assertThat(run.out())
                .contains("\"percentOfBaseline\" : " + flops, "\"percentOfBaseline\" : " + cache)
                .contains("\"timesLower\" : " + lower, "\"timesSmaller\" : " + smaller);
        JsonNode root = run.json();
        assertThat(root.path("checkpointBytes").asLong()).isEqualTo(checkpointBytes);
        JsonNode only = root.path("contexts");
        assertThat(only.size()).isOne();
        JsonNode f = only.path(0).path("flops");
        assertThat(f.path("totalGflop").asDouble())
                .isCloseTo(
                        f.path("linearGflop").asDouble()
                                + f.path("indexerGflop").asDouble()
                                + f.path("coreGflop").asDouble(),
                        within(1e-9));
        assertThat(root.has("plans")).isFalse();
    }

    @Test
    void parametersAddUp() {
        JsonNode root = json("--model", "pro");
        JsonNode p = root.path("parameters");
        assertThat(p.path("mainStack").asLong()).isEqualTo(1_572_997_201_763L);
        assertThat(p.path("withMtp").asLong()).isEqualTo(1_598_837_347_742L);
        long main = 0;
        long bytes = 0;
        for (JsonNode g : p.path("groups")) {
            main += g.path("mtp").asBoolean() ? 0 : g.path("parameters").asLong();
            bytes += g.path("bytes").asLong();
        }
        assertThat(main).isEqualTo(p.path("mainStack").asLong());
        assertThat(bytes).isEqualTo(root.path("checkpointBytes").asLong()).isEqualTo(864_704_792_696L);
        assertThat(root.path("architecture").path("layerKinds").asString()).isEqualTo("30 CSA, 31 HCA");
    }

    @ParameterizedTest
    @CsvSource({"1000000, 1000000", "1M, 1048576", "128K, 131072", "128k, 131072", "' 8K', 8192", "1, 1"})
    void contextsAreExactOrBinary(String text, long tokens) {
        assertThat(json("--model", "flash", "--context", text)
                        .path("contexts")
                        .path(0)
                        .path("context")
                        .asLong())
                .isEqualTo(tokens);
    }

    @Test
    void aPlanForDevices() {
        JsonNode plan = json("--model", "pro", "--hardware", "H200", "--count", 8, "--batch", 8, "--context", "8K,1M")
                .path("plans");
        JsonNode fits = plan.path(0);
        assertThat(fits.path("layout").path("name").asString()).isEqualTo("DP8 EP8");
        assertThat(fits.path("layout").path("spread").toString()).isEqualTo("[\"head\",\"output\"]");
        assertThat(fits.path("layout").path("heldByWeftGB").asDouble()).isCloseTo(120.5, within(0.05));
        assertThat(fits.path("layouts").path(0)).isEqualTo(fits.path("layout"));
        assertThat(fits.path("start").asString())
                .isEqualTo("mpirun -n 8 weft generate MODEL --spread head,output --context 8192 --speculate --prompt"
                        + " \"...\"");
        JsonNode sixteen =
                json("--model", "flash", "--hardware", "gb10", "--count", 16, "--batch", 1, "--context", "8K");
        assertThat(sixteen.path("plans").path(0).path("start").asString())
                .as("more devices than output groups")
                .startsWith("mpirun -n 16 weft generate MODEL --spread head,output=8 ");
        JsonNode planned = fits.path("layouts").path(4);
        assertThat(planned.path("name").asString()).isEqualTo("DP4 x TP2 EP8");
        assertThat(planned.path("heldGB").asDouble()).isCloseTo(117.8, within(0.05));
        assertThat(planned.path("tpotMs").asDouble()).isCloseTo(18.58, within(0.005));
        assertThat(planned.path("fits").asBoolean()).isTrue();
        assertThat(planned.path("verdict").asString())
                .isEqualTo("planned only: " + planned.path("plannedOnly").asString());
        assertThat(fits.path("roofline").path("ttftSeconds").asDouble()).isCloseTo(0.06, within(0.005));
        assertThat(fits.path("strict").path("touchedExperts").asDouble()).isEqualTo(6);
        assertThat(fits.path("layouts").size()).isEqualTo(9);
        JsonNode last = fits.path("layouts").path(8);
        assertThat(last.path("fits").asBoolean()).isFalse();
        assertThat(last.path("obstacle").asString()).isEqualTo("needs 133.7 GB of 126.9 GB usable");
        assertThat(last.path("tpotMs").isNull()).isTrue();
        JsonNode step = fits.path("roofline").path("stepMs");
        assertThat(step.path("total").asDouble())
                .isCloseTo(
                        Math.max(
                                        step.path("memory").asDouble(),
                                        step.path("compute").asDouble())
                                + step.path("exchange").asDouble()
                                + step.path("launch").asDouble(),
                        within(1e-9));

        JsonNode not = plan.path(1);
        assertThat(not.path("layout").isNull()).isTrue();
        assertThat(not.path("start").isNull()).isTrue();
        assertThat(not.path("roofline").has("tpotMs")).isFalse();
        assertThat(not.path("roofline").path("ttftSeconds").asDouble()).isCloseTo(16.50, within(0.005));
    }

    @Test
    void everyCombinationIsShown() {
        JsonNode root = json(
                "--model",
                "flash",
                "--context",
                "8K,64K,8192",
                "--hardware",
                "950dt",
                "--count",
                16,
                "--batch",
                "16,32",
                "--draft",
                "0,1,3",
                "--accept",
                0.5,
                "--cache",
                "fp8,bf16",
                "--index-keys",
                "fp8");
        assertThat(root.path("contexts").size()).isEqualTo(4);
        assertThat(root.path("plans").size()).isEqualTo(2 * 2 * 2 * 3);
        JsonNode last = root.path("plans").path(23);
        assertThat(last.path("context").asLong()).isEqualTo(65536);
        assertThat(last.path("cache").asString()).isEqualTo("bf16");
        assertThat(last.path("indexKeys").asString()).isEqualTo("fp8");
        assertThat(last.path("batch").asInt()).isEqualTo(32);
        assertThat(last.path("drafted").asInt()).isEqualTo(3);
        assertThat(last.path("accepted").asDouble()).isEqualTo(0.875);
    }

    @Test
    void aConfigurationIsEnough() throws IOException {
        Files.writeString(folder.resolve("config.json"), ModelConfig.flash().toJson());
        JsonNode byFolder = json("--model", folder, "--context", "1M");
        JsonNode byFile = json("--model", folder.resolve("config.json"), "--context", "1M");
        JsonNode byName = json("--model", "flash", "--context", "1M");
        for (String part : List.of("architecture", "parameters", "checkpointBytes", "contexts")) {
            assertThat(byFolder.path(part)).isEqualTo(byName.path(part));
            assertThat(byFile.path(part)).isEqualTo(byName.path(part));
        }
        assertThat(byFolder.path("model").asString()).isEqualTo(folder.toString());
    }

    @Test
    void peopleGetTables() {
        Run run = Run.of("plan", "--model", "pro", "--context", "128K,1M,2M", "--hardware", "950DT", "--count", 64);
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        assertThat(run.out())
                .contains("pro (DeepSeek-V4): 61 layers (30 CSA, 31 HCA)")
                .containsPattern("routed experts +1547\\.396 +822\\.054 +F4_E2M1")
                .containsPattern("checkpoint +GB +864\\.70 +689\\.47 +125\\.42 %")
                .contains("864,704,792,696 bytes (805.3 GiB)")
                .containsPattern("1,048,576 +101\\.64 +64\\.42 +153\\.34 +319\\.41 +1194\\.64 +26\\.74 % +3\\.74x")
                .containsPattern("1,048,576 +5\\.28 +5035\\.8 +5036 +50\\.40 +10\\.48 %")
                .contains("2,097,152 is beyond the 1,048,576 tokens that pro was trained for")
                .contains("64 x Ascend 950DT", "maker's roadmap")
                .containsPattern("DP2 x TP32 EP64 .* no: 16 output groups cannot be dealt to 32 devices")
                .containsPattern("131,072 +64 +1 +0\\.70 +DP64 EP64 +head +calibrated ")
                .contains("rms log error 0.20", "hides its transfers: 1000 FLOP per byte sent, of 6144")
                .doesNotContain("entries/keys"); // one format: no column for it
        run.out().lines().forEach(line -> assertThat(line).isEqualTo(line.stripTrailing()));
        Run full = Run.of("plan", "--model", "pro", "--context", "1M", "--hardware", "h200", "--count", 8);
        assertThat(full.out())
                .containsPattern("DP1 x TP8 EP8 .* 150\\.5 .* no: needs 150\\.5 GB of 126\\.9 GB usable")
                .containsPattern("does not fit +- +roofline +- .* 16\\.50\n")
                .containsPattern("does not fit +- +calibrated +- .* 47\\.15\n");
        Run formats = Run.of("plan", "--model", "pro", "--context", "1M", "--cache", "fp8,bf16");
        assertThat(formats.out()).containsPattern("1,048,576 +bf16/fp4 +8\\.86");
    }

    @Test
    void thisProcessorIsMeasured() {
        if (!hasNativeKernels()) {
            Run refused = Run.of("plan", "--model", DemoModel.locate(null), "--context", "2K", "--hardware", "cpu");
            assertThat(refused.code()).isEqualTo(1);
            assertThat(refused.err()).contains("measures no computing; build the native kernels");
            return;
        }
        JsonNode root = json("--model", DemoModel.locate(null), "--context", "2K", "--hardware", "cpu");
        JsonNode hardware = root.path("hardware");
        assertThat(hardware.path("kind").asString()).isEqualTo("cpu");
        assertThat(hardware.path("peaks").asString()).isEqualTo("measured");
        assertThat(hardware.path("memoryTBps").asDouble()).isPositive();
        assertThat(hardware.path("fp8PF").asDouble())
                .isPositive()
                .isEqualTo(hardware.path("bf16PF").asDouble());
        assertThat(hardware.path("linkGBps").isNull()).isTrue();
        assertThat(root.path("calibration").isNull()).isTrue();
        JsonNode plan = root.path("plans").path(0);
        assertThat(plan.path("calibrated").isNull()).isTrue();
        assertThat(plan.path("roofline").path("stepMs").path("exchange").asDouble())
                .isZero();
        assertThat(plan.path("roofline").path("tpotMs").asDouble()).isPositive();
    }

    static boolean hasNativeKernels() {
        try (Weft weft = Weft.open()) {
            String best = weft.device("cpu:0").info().variants().getFirst();
            return !best.equals("vector") && !best.equals("scalar");
        }
    }

    @Test
    void measuredPeaksAreTakenWhenAskedFor() throws IOException {
        Path file = Files.writeString(folder.resolve("devices.json"), """
            {"devices": [{"kind": "box", "name": "a box", "memoryGB": 1000, "memoryTBps": 4, "fp8PF": 1, "bf16PF": 0.5,
             "linkGBps": 1000, "source": "guess", "measured": {"memoryTBps": 2}},
             {"kind": "other", "name": "another", "memoryGB": 1, "memoryTBps": 1, "fp8PF": 1, "bf16PF": 1,
             "linkGBps": 1, "source": "guess"}]}\
            """);
        List<Object> box = List.of("--model", "flash", "--hardware", "box", "--hardware-file", file);
        JsonNode published = json(box.toArray());
        List<Object> asked = new ArrayList<>(box);
        asked.addAll(List.of("--peaks", "measured"));
        JsonNode measured = json(asked.toArray());
        assertThat(measured.path("hardware").path("memoryTBps").asDouble()).isEqualTo(2);
        assertThat(measured.path("hardware").path("peaks").asString()).isEqualTo("measured");
        assertThat(memoryMs(measured)).isCloseTo(2 * memoryMs(published), within(1e-9));
        Run none = Run.of(
                "plan", "--model", "flash", "--hardware", "other", "--hardware-file", file, "--peaks", "measured");
        assertThat(none.code()).isEqualTo(2);
        assertThat(none.err()).startsWith("weft: --peaks: found measured, but none are known of another");
    }

    /** What a plan says to type is a command line of this version. */
    @Test
    void theCommandThatStartsALayoutIsOne() {
        Path demo = DemoModel.locate(null);
        String alone = json("--model", demo, "--context", "2K", "--hardware", "h200")
                .path("plans")
                .path(0)
                .path("start")
                .asString();
        assertThat(alone).isEqualTo("weft generate " + demo + " --context 2048 --speculate --prompt \"...\"");
        Run run = Run.of("generate", demo, "--context", 2048, "--speculate", "--prompt", "...", "--max-tokens", 2);
        assertThat(run.code()).isZero();
        String ranks = json("--model", demo, "--context", "2K", "--hardware", "h200", "--count", 2)
                .path("plans")
                .path(0)
                .path("start")
                .asString();
        assertThat(ranks)
                .isEqualTo("mpirun -n 2 weft generate " + demo
                        + " --spread head --context 2048 --speculate --prompt \"...\"");
        Run noRanks = Run.of("generate", demo, "--spread", "head", "--context", 2048, "--prompt", "...");
        assertThat(noRanks.err()).contains("--spread: found one process, expected ranks");
    }

    /** A document as {@code weft bench --output FILE.json} writes it. */
    private Path run(String name, String hardware, String... limits) throws IOException {
        List<String> results = new ArrayList<>();
        for (String limit : limits) {
            String[] kindAndValue = limit.split(" ");
            results.add("""
                {"work": "w", "seconds": {"samples": [0.1]},
                 "limit": {"kind": "%s", "value": %s}}\
                """.formatted(kindAndValue[0], kindAndValue[1]));
        }
        return Files.writeString(
                folder.resolve(name), "{\"hardware\": \"" + hardware + "\", \"results\": " + results + "}");
    }

    @Test
    void runsOfTheBenchGiveThePeaks() throws IOException {
        Path decode = run("decode.json", "a processor", "read 2e10", "read 3e10");
        Path prompt = run("prompt.json", "a processor", "bf16Dot 4e11");
        JsonNode cpu = json(
                "--model",
                DemoModel.locate(null),
                "--context",
                "2K",
                "--draft",
                0,
                "--hardware",
                "cpu",
                "--measured",
                decode + "," + prompt);
        JsonNode hardware = cpu.path("hardware");
        assertThat(hardware.path("memoryTBps").asDouble()).isCloseTo(0.03, within(1e-12)); // the highest
        assertThat(hardware.path("fp8PF").asDouble()).isCloseTo(4e-4, within(1e-12));
        assertThat(hardware.path("peaks").asString()).isEqualTo("measured");
        assertThat(hardware.path("source").asString()).startsWith("measured on a processor, as ");
        // what a token reads, over the rate: of the embedding nothing, of the routed experts those it is sent to
        JsonNode model = cpu.path("architecture");
        double active =
                model.path("activeExperts").asDouble() / model.path("experts").asDouble();
        double bytes = 0;
        for (JsonNode g : cpu.path("parameters").path("groups")) {
            double share = switch (g.path("kind").asString()) {
                case "embedding", "hash table" -> 0;
                case "routed experts" -> active;
                default -> 1;
            };
            bytes += g.path("mtp").asBoolean() ? 0 : share * g.path("bytes").asDouble();
        }
        bytes += cpu.path("contexts").path(0).path("kvCache").path("readBytes").asDouble();
        assertThat(memoryMs(cpu)).isCloseTo(bytes / 3e10 * 1e3, within(1e-6));

        JsonNode h200 = json("--model", "flash", "--hardware", "h200", "--measured", decode);
        assertThat(h200.path("hardware").path("memoryTBps").asDouble()).isCloseTo(0.03, within(1e-12));
        assertThat(h200.path("hardware").path("fp8PF").asDouble()).isEqualTo(1.979);
    }

    /** The saved file has the measured column, with which a plan gives the same; with a link added, of several hosts. */
    @Test
    void whatWasMeasuredCanBeSaved() throws IOException {
        Path runs = run("run.json", "a processor", "read 2e10", "bf16Dot 4e11");
        Path saved = folder.resolve("saved.json");
        List<Object> demo = List.of("--model", DemoModel.locate(null), "--context", "2K", "--hardware", "cpu");
        List<Object> save = new ArrayList<>(demo);
        save.addAll(List.of("--measured", runs, "--save-hardware", saved));
        double first = memoryMs(json(save.toArray()));
        assertThat(first).isPositive();
        List<Object> reuse = new ArrayList<>(demo);
        reuse.addAll(List.of("--hardware-file", saved, "--peaks", "measured"));
        assertThat(memoryMs(json(reuse.toArray()))).isCloseTo(first, within(1e-9));
        assertThat(json("--model", "flash", "--hardware", "b200", "--hardware-file", saved)
                        .path("hardware")
                        .path("fp4PF")
                        .asDouble())
                .isEqualTo(9.0);

        reuse.addAll(List.of("--count", 2));
        List<Object> all = new ArrayList<>(List.of("plan"));
        all.addAll(reuse);
        Run noLink = Run.of(all.toArray());
        assertThat(noLink.code()).isEqualTo(2);
        assertThat(noLink.err()).startsWith("weft: --count: found 2, expected 1: the file gives no linkGBps of ");
        Files.writeString(
                saved, Files.readString(saved).replace("\"kind\" : \"cpu\",", "\"kind\" : \"cpu\", \"linkGBps\": 1,"));
        JsonNode two = json(reuse.toArray());
        assertThat(two.path("calibration").isNull()).isTrue();
        assertThat(two.path("hardware").path("linkGBps").asDouble()).isEqualTo(1);
        assertThat(memoryMs(two)).isLessThan(first);
    }

    @Test
    void runsThatTellNoPeaksAreRefused() throws IOException {
        Path decode = run("decode.json", "a processor", "read 2e10");
        Path other = run("other.json", "another", "bf16Dot 4e11");
        Path none = Files.writeString(
                folder.resolve("none.json"),
                "{\"hardware\": \"x\", \"results\": [{\"seconds\": {\"samples\": [1]}, \"limit\": null}]}");
        Path broken = run("broken.json", "a processor", "read -1");
        assertThat(measuredError("cpu", decode))
                .startsWith("weft: --measured: found [memory read] in ")
                .contains("expected a limit of memory and one of computing");
        assertThat(measuredError("h200", decode + "," + other))
                .startsWith("weft: --measured: found runs on [a processor, another], expected runs on one kind");
        assertThat(measuredError("h200", none)).startsWith("weft: --measured: found no limit in ");
        assertThat(measuredError("h200", broken)).contains("broken.json: limit.value: found -1, expected a rate");
    }

    private static String measuredError(String hardware, Object files) {
        Run run = Run.of("plan", "--model", "flash", "--hardware", hardware, "--measured", files);
        assertThat(run.code()).isEqualTo(2);
        return run.err();
    }

    private static double memoryMs(JsonNode root) {
        return root.path("plans")
                .path(0)
                .path("roofline")
                .path("stepMs")
                .path("memory")
                .asDouble();
    }

    @Test
    void thePlotStandsAlone() throws IOException {
        Path file = folder.resolve("plan.svg");
        Run run = Run.of("plan", "--model", "pro", "--context", "128K,1M", "--plot", file);
        assertThat(run.err()).isEmpty();
        String svg = Files.readString(file);
        assertWellFormed(svg);
        assertThat(svg)
                .contains("@media (prefers-color-scheme: dark)")
                .contains(">26.7 %<", ">52.8 %<", ">10.5 %<", ">pro<", ">V3.2<", ">FLOPs of one token<")
                .doesNotContain("<script", "<image", "url(", "href", "NaN", "Infinity");
        assertThat(svg.replace("http://www.w3.org/2000/svg", "")).doesNotContain("http");
        assertThat(svg.split("<path ", -1)).hasSize(1 + 4);
    }

    @Test
    void theBaselineIsNotPlottedAgainstItself() throws IOException {
        Path file = folder.resolve("plan.svg");
        Run.of("plan", "--model", "v3.2", "--plot", file);
        assertThat(Files.readString(file).split("<path ", -1)).hasSize(1 + 2);
    }

    @Test
    void formatsAreLinesOfTheirOwn() throws IOException {
        Path file = folder.resolve("plan.svg");
        Run.of(
                "plan",
                "--model",
                "flash",
                "--context",
                1,
                "--cache",
                "fp8,bf16",
                "--index-keys",
                "fp4,fp8,bf16",
                "--plot",
                file);
        String svg = Files.readString(file);
        assertWellFormed(svg);
        // FLOPs know no format of the entries: three and six lines, and the baseline in both
        assertThat(svg.split("<path ", -1)).hasSize(1 + 4 + 7);
        assertThat(svg).contains(">fp8 keys<", ">bf16/fp4<").doesNotContain("NaN", "Infinity");
    }

    private static void assertWellFormed(String svg) {
        String body = svg.substring(svg.indexOf("<svg"));
        Deque<String> open = new ArrayDeque<>();
        Matcher tag = TAG.matcher(body);
        int end = 0;
        while (tag.find()) {
            assertThat(body.substring(end, tag.start())).doesNotContain("<").doesNotContain(">");
            end = tag.end();
            if (tag.group(1).isEmpty() && tag.group(4).isEmpty()) {
                open.push(tag.group(2));
            } else if (!tag.group(1).isEmpty()) {
                assertThat(open.pop()).isEqualTo(tag.group(2));
            }
        }
        assertThat(open).isEmpty();
        assertThat(body.substring(end)).isBlank();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--context 1G                      | --context: found '1G', expected 1 to 1099511627776 tokens, as in",
                "--context 0                       | --context: found '0'",
                "--context -5                      | --context: found '-5'",
                "--context 1.5M                    | --context: found '1.5M'",
                "--context 8K,,1M                  | --context: found '8K,,1M', expected values divided by commas",
                "--context 9999999999999M          | --context: found '9999999999999M'",
                "--cache fp4                       | --cache: found 'fp4', expected fp8, bf16",
                "--index-keys int4                 | --index-keys: found 'int4', expected fp4, fp8, bf16",
                "--count 8                         | --count: found without --hardware",
                "--batch 8                         | --batch: found without --hardware",
                "--draft 2                         | --draft: found without --hardware",
                "--hardware tpu                    | --hardware: found 'tpu', expected 950dt, 950pr, a3, a2, h200,"
                        + " b200,",
                "--hardware h200 --count 0         | --count: found '0', expected 1 to 1048576",
                "--hardware h200 --count many      | --count: found 'many'",
                "--hardware h200 --batch 0         | --batch: found '0', expected 1 to 16777216",
                "--hardware h200 --draft -1        | --draft: found '-1', expected 0 to 64",
                "--hardware h200 --accept 1.5      | --accept: found 1.5, expected 0 to 1",
                "--hardware h200 --accept NaN      | --accept: found NaN, expected 0 to 1",
                "--hardware h200 --prompt none     | --prompt: found 'none'",
                "--hardware h200 --peaks guessed   | --peaks: found 'guessed', expected published, measured",
                "--hardware h200 --peaks measured  | --peaks: found measured, but none are known of NVIDIA H200",
                "--hardware cpu --count 2          | --count: found 2 with --hardware cpu, expected 1",
                "--hardware cpu --peaks published | --peaks: found published with --hardware cpu, whose peaks are"
                        + " measured",
                "--measured x.json                 | --measured: found without --hardware",
                "--hardware h200 --measured x.json | x.json: no such file, expected the JSON of a run",
                "--hardware h200 --save-hardware x | --save-hardware: found without --measured, whose peaks it saves",
                "--plot no/such/folder/p.svg       | --plot: found no/such/folder/p.svg, expected a file in a folder",
            })
    void badOptionsAreNamed(String options, String message) {
        List<Object> all = new ArrayList<>(List.of("plan", "--model", "flash"));
        all.addAll(List.of(options.strip().split(" +")));
        Run run = Run.of(all.toArray());
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).startsWith("weft: " + message);
        assertThat(run.err().lines()).hasSize(1);
    }

    @Test
    void theModelMustBeKnown() throws IOException {
        Run missing = Run.of("plan");
        assertThat(missing.code()).isEqualTo(2);
        assertThat(missing.err()).contains("--model");
        Run unknown = Run.of("plan", "--model", "v5");
        assertThat(unknown.code()).isEqualTo(2);
        assertThat(unknown.err())
                .isEqualTo("weft: --model: found 'v5', expected pro, flash, v3.2, or the folder or file of a"
                        + " configuration\n");
        Path other = Files.writeString(folder.resolve("config.json"), "{\"model_type\": \"llama\"}");
        Run foreign = Run.of("plan", "--model", folder);
        assertThat(foreign.code()).isEqualTo(1);
        assertThat(foreign.err())
                .isEqualTo("weft: " + other
                        + ": model_type: found \"llama\", expected \"deepseek_v4\" or \"deepseek_v32\"\n");
        Files.delete(other);
        assertThat(Run.of("plan", "--model", folder).err()).isEqualTo("weft: " + other + ": does not exist\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"de-DE", "ar-EG-u-nu-arab"})
    void numbersDoNotFollowTheLocale(String tag) {
        Locale before = Locale.getDefault();
        try {
            Run plain = Run.of("plan", "--model", "flash", "--hardware", "b200", "--count", 4);
            Locale.setDefault(Locale.forLanguageTag(tag));
            assertThat(Run.of("plan", "--model", "flash", "--hardware", "b200", "--count", 4)
                            .out())
                    .isEqualTo(plain.out());
        } finally {
            Locale.setDefault(before);
        }
    }
}
