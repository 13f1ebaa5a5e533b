package dev.weft.cli;

import dev.weft.plan.Architecture;
import dev.weft.plan.CacheFormat;
import dev.weft.plan.CacheFormat.Element;
import dev.weft.plan.CostModel;
import dev.weft.plan.Deployment;
import dev.weft.plan.HardwareCatalog;
import dev.weft.plan.Workload;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code weft plan}: what a model costs at a context, and what that means on some devices. */
@Command(
        name = "plan",
        description = {
            "Show parameters, bytes, FLOPs and cache of a model from its configuration alone, and how it would run on N"
                    + " devices of a kind.",
            "Options that take several values, divided by commas, show every combination."
        })
final class PlanCommand extends WeftCommand {
    private static final int MAX_COUNT = 1 << 20;
    private static final int MAX_BATCH = 1 << 24;
    private static final int MAX_DRAFTED = 64;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "MODEL",
            description = "pro, flash, v3.2, or the folder or file of a configuration.")
    private String model = "";

    @Option(
            names = "--context",
            paramLabel = "TOKENS",
            defaultValue = "128K,1M",
            description = "Contexts, as in 1000000, 128K or 1M; K is 1024, M 1048576. Default: ${DEFAULT-VALUE}.")
    private String context = "";

    @Option(
            names = "--cache",
            paramLabel = "FORMAT",
            description = "Attention entries of the cache: fp8, bf16. Default: the model's own.")
    private @Nullable String cache;

    @Option(
            names = "--index-keys",
            paramLabel = "FORMAT",
            description = "Index keys of the cache, and what their scores compute in: fp4, fp8, bf16. Default: the"
                    + " model's own.")
    private @Nullable String indexKeys;

    @Option(
            names = "--hardware",
            paramLabel = "KIND",
            description = "Kind of device: 950dt, 950pr, a3, a2, h200, b200, gb200, gb10, or cpu, measured now.")
    private @Nullable String hardware;

    @Option(names = "--count", paramLabel = "N", description = "Devices. Default: 1.")
    private @Nullable String count;

    @Option(
            names = "--hardware-file",
            paramLabel = "FILE",
            description = "Kinds of devices instead of the built-in ones; docs/plan.md describes it.")
    private @Nullable Path hardwareFile;

    @Option(
            names = "--peaks",
            paramLabel = "WHICH",
            description = "Peaks to count with: published, or those measured that a file gives. Default: published.")
    private @Nullable String peaks;

    @Option(
            names = "--measured",
            paramLabel = "FILE",
            split = ",",
            description = "Peaks to count with: what runs of weft bench, written with --output FILE.json, found.")
    private List<Path> measured = List.of();

    @Option(
            names = "--save-hardware",
            paramLabel = "FILE",
            description = "Write the kinds of devices, with what --measured found filled in, for --hardware-file.")
    private @Nullable Path saveHardware;

    @Option(
            names = "--batch",
            paramLabel = "N",
            description = "Sequences in flight on all devices together. Default: one per device.")
    private @Nullable String batch;

    @Option(names = "--prompt", paramLabel = "TOKENS", description = "Tokens of a prompt. Default: the context.")
    private @Nullable String prompt;

    @Option(
            names = "--draft",
            paramLabel = "N",
            description = "Tokens drafted per step. Default: 1, or 0 for a model without MTP block.")
    private @Nullable String draft;

    @Option(
            names = "--accept",
            paramLabel = "P",
            description = "Probability that a draft is kept if those before it are. Default: 0.7.")
    private @Nullable Double accept;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Option(names = "--plot", paramLabel = "FILE", description = "Also write FLOPs and cache over the context as SVG.")
    private @Nullable Path plot;

    PlanCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        if (plot != null) {
            requireFile("--plot", plot);
        }
        if (saveHardware != null) {
            requireFile("--save-hardware", saveHardware);
        }
        PlanSheet sheet = sheet();
        if (saveHardware != null && sheet.fleet() != null) {
            HardwareCatalog catalog =
                    hardwareFile == null ? HardwareCatalog.builtIn() : HardwareCatalog.read(hardwareFile);
            Files.writeString(
                    saveHardware, catalog.with(sheet.fleet().hardware()).toJson());
        }
        if (plot != null) {
            Files.writeString(plot, PlanPlot.of(sheet));
        }
        if (json) {
            Json.print(terminal, PlanJson.of(sheet));
        } else {
            new PlanText(terminal, sheet).print();
        }
        return ExitCode.OK;
    }

    private static void requireFile(String option, Path file) {
        Path folder = file.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder) || Files.isDirectory(file)) {
            throw new UsageException(option + ": found " + file + ", expected a file in a folder that exists");
        }
    }

    private PlanSheet sheet() throws IOException {
        Architecture architecture = architecture();
        List<Long> contexts = PlanValues.list("--context", context, t -> PlanValues.tokens("--context", t));
        List<CostModel> costs = new ArrayList<>();
        for (Element entries : elements("--cache", cache, architecture.format().entries(), Element.FP8, Element.BF16)) {
            for (Element keys :
                    elements("--index-keys", indexKeys, architecture.format().indexKeys(), Element.values())) {
                costs.add(CostModel.of(architecture, new CacheFormat(entries, keys)));
            }
        }
        PlanFleet fleet = fleet();
        List<PlanSheet.Case> cases = new ArrayList<>();
        if (fleet != null) {
            for (long tokens : contexts) {
                for (CostModel cost : costs) {
                    workloads(architecture, fleet, tokens)
                            .forEach(w -> cases.add(new PlanSheet.Case(
                                    cost, w, new Deployment(cost, fleet.hardware(), fleet.peaks(), fleet.count(), w))));
                }
            }
        }
        return new PlanSheet(
                model, architecture, CostModel.of(Architecture.v32()), costs, contexts, fleet, List.copyOf(cases));
    }

    private Architecture architecture() {
        return switch (model) {
            case "pro" -> Architecture.pro();
            case "flash" -> Architecture.flash();
            case "v3.2" -> Architecture.v32();
            default -> {
                Path path = Path.of(model);
                if (!Files.exists(path)) {
                    throw new UsageException("--model: found '" + model
                            + "', expected pro, flash, v3.2, or the folder or file of a configuration");
                }
                yield Architecture.read(path);
            }
        };
    }

    private static List<Element> elements(String option, @Nullable String text, Element own, Element... all) {
        return text == null
                ? List.of(own)
                : PlanValues.list(option, text, t -> PlanValues.oneOf(option, t, List.of(all), Element::key));
    }

    private @Nullable PlanFleet fleet() throws IOException {
        if (hardware == null) {
            onlyWithHardware().forEach((option, value) -> {
                if (value != null) {
                    throw new UsageException(option + ": found without --hardware, whose plan it is for");
                }
            });
            return null;
        }
        String which = peaks == null
                ? null
                : PlanValues.oneOf("--peaks", peaks, List.of(PlanFleet.PUBLISHED, PlanFleet.MEASURED), p -> p);
        int devices = count == null ? 1 : PlanValues.integer("--count", count, 1, MAX_COUNT);
        if (saveHardware != null && measured.isEmpty()) {
            throw new UsageException("--save-hardware: found without --measured, whose peaks it saves");
        }
        return PlanFleet.of(
                hardware, devices, hardwareFile, which, measured.isEmpty() ? null : BenchPeaks.read(measured));
    }

    private Map<String, @Nullable Object> onlyWithHardware() {
        Map<String, @Nullable Object> options = new LinkedHashMap<>();
        options.put("--count", count);
        options.put("--hardware-file", hardwareFile);
        options.put("--peaks", peaks);
        options.put("--measured", measured.isEmpty() ? null : measured);
        options.put("--save-hardware", saveHardware);
        options.put("--batch", batch);
        options.put("--prompt", prompt);
        options.put("--draft", draft);
        options.put("--accept", accept);
        return options;
    }

    private List<Workload> workloads(Architecture architecture, PlanFleet fleet, long tokens) {
        double probability = accept == null ? 0.7 : accept;
        if (!(probability >= 0 && probability <= 1)) {
            throw new UsageException("--accept: found " + probability + ", expected 0 to 1");
        }
        List<Integer> batches = batch == null
                ? List.of(fleet.count())
                : PlanValues.list("--batch", batch, t -> PlanValues.integer("--batch", t, 1, MAX_BATCH));
        List<Integer> drafts = draft == null
                ? List.of(architecture.mtpBlocks() > 0 ? 1 : 0)
                : PlanValues.list("--draft", draft, t -> PlanValues.integer("--draft", t, 0, MAX_DRAFTED));
        List<Long> prompts = prompt == null
                ? List.of(tokens)
                : PlanValues.list("--prompt", prompt, t -> PlanValues.tokens("--prompt", t));
        List<Workload> all = new ArrayList<>();
        for (int sequences : batches) {
            for (long length : prompts) {
                for (int drafted : drafts) {
                    all.add(new Workload(tokens, sequences, length, drafted, Workload.accepted(drafted, probability)));
                }
            }
        }
        return all;
    }
}
