package dev.weft.cli;

import dev.weft.DeviceId;
import dev.weft.WeftException;
import dev.weft.runtime.Weft;
import dev.weft.spi.Backends;
import dev.weft.spi.DeviceInfo;
import dev.weft.spi.Probe;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft devices}: what is here, and for what is absent why. */
@Command(name = "devices", description = "List the devices of this machine, and why a backend is absent.")
final class DevicesCommand extends WeftCommand {
    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Option(
            names = {"-v", "--verbose"},
            description = "Also open every variant and show backend versions and the Java machine.")
    private boolean verbose;

    DevicesCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() {
        try (Weft weft = Weft.open()) {
            DeviceReport report = DeviceReport.of(weft);
            List<Variant> variants = verbose
                    ? report.devices().stream()
                            .flatMap(d -> d.variants().stream().map(v -> Variant.open(weft, d, v)))
                            .toList()
                    : List.of();
            if (json) {
                printJson(weft, report, variants);
            } else {
                print(weft, report, variants);
            }
        }
        return ExitCode.OK;
    }

    /** A variant and its own description, or why it does not open. */
    private record Variant(DeviceId id, String description) {
        static Variant open(Weft weft, DeviceInfo device, String name) {
            DeviceId id = new DeviceId(device.id().backend(), device.id().ordinal(), name);
            try {
                return new Variant(id, weft.device(id).info().description());
            } catch (WeftException e) {
                return new Variant(id, "does not open: " + e.getMessage());
            }
        }
    }

    /** What the backend has to say, then what its library answers to the operators' calls on each device. */
    private static List<String> details(Weft weft, DeviceReport report, String backend) {
        List<String> lines = new ArrayList<>(weft.details(backend));
        for (DeviceInfo d : report.devices()) {
            if (d.id().backend().equals(backend)) {
                functions(weft, d.id()).forEach(line -> lines.add(d.id() + " " + line));
            }
        }
        return lines;
    }

    private static List<String> functions(Weft weft, DeviceId device) {
        try {
            return VerifyFunctions.of(weft.device(device).spi(), VerifyFunctions.cases())
                    .map(VerifyFunctions::lines)
                    .orElse(List.of());
        } catch (WeftException e) {
            return List.of("does not open: " + e.getMessage());
        }
    }

    private void print(Weft weft, DeviceReport report, List<Variant> variants) {
        report.print(terminal);
        if (!verbose) {
            return;
        }
        terminal.printf("%n");
        for (Variant v : variants) {
            terminal.printf("%-16s %s%n", v.id(), v.description());
        }
        for (Backends.Status s : weft.backends()) {
            if (s.probe() instanceof Probe.Available a) {
                terminal.printf("%-16s backend version %s, priority %d%n", s.name(), a.version(), a.priority());
                details(weft, report, s.name()).forEach(line -> terminal.printf("%-16s %s%n", "", line));
            }
        }
        terminal.printf("%-16s %s%n", "weft", Version.text());
        terminal.printf("%-16s %s, %s%n", "java", property("java.vm.name"), property("java.runtime.version"));
        terminal.printf(
                "%-16s %s %s %s, %d processors%n",
                "system",
                property("os.name"),
                property("os.version"),
                property("os.arch"),
                Runtime.getRuntime().availableProcessors());
        terminal.printf("%-16s %s%n", "options", String.join(" ", options()));
    }

    private void printJson(Weft weft, DeviceReport report, List<Variant> variants) {
        ObjectNode root = Json.object();
        report.toJson(root);
        if (verbose) {
            ArrayNode opened = root.putArray("variants");
            variants.forEach(
                    v -> opened.addObject().put("id", v.id().toString()).put("description", v.description()));
            ArrayNode backends = root.putArray("backends");
            for (Backends.Status s : weft.backends()) {
                if (s.probe() instanceof Probe.Available a) {
                    ObjectNode backend = backends.addObject()
                            .put("name", s.name())
                            .put("version", a.version())
                            .put("priority", a.priority());
                    ArrayNode details = backend.putArray("details");
                    details(weft, report, s.name()).forEach(details::add);
                }
            }
            root.put("weft", Version.text());
            root.put("java", property("java.runtime.version"));
            root.put("system", property("os.name") + " " + property("os.version") + " " + property("os.arch"));
            root.put("processors", Runtime.getRuntime().availableProcessors());
            ArrayNode list = root.putArray("options");
            options().forEach(list::add);
        }
        Json.print(terminal, root);
    }

    private static List<String> options() {
        return ManagementFactory.getRuntimeMXBean().getInputArguments();
    }

    private static String property(String name) {
        return System.getProperty(name, "unknown");
    }
}
