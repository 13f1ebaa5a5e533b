package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DeviceId;
import dev.weft.backend.ascend.abi.CannHome;
import dev.weft.backend.ascend.abi.CannLibraries;
import dev.weft.conformance.ModelSize;
import dev.weft.conformance.OpRunner;
import dev.weft.conformance.Outcome;
import dev.weft.spi.BackendDevice;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A program that tells what becomes of some functions, and of the operators at the models' sizes, on the installation that
 * its properties and its environment name: a process has one installation only. One line each.
 */
final class ModelSizesProgram {
    private static final long LIMIT_SECONDS = 120;
    private static final String PACKAGES = "ASCEND_CUSTOM_OPP_PATH";

    private ModelSizesProgram() {}

    /** @param args the product, then keys of {@link CannLibraries#resolve} */
    public static void main(String[] args) {
        try (Emulator emulator = Emulator.start().with("soc", args[0]).with("delay", "0");
                AscendBackend backend = emulator.open();
                BackendDevice device = backend.open(DeviceId.parse("ascend:0"))) {
            CannLibraries libraries = CannInstallation.load(((CannHome.Found) CannHome.locate()).home())
                    .libraries();
            List.of(args)
                    .subList(1, args.length)
                    .forEach(key -> System.out.println(
                            key + " is " + libraries.resolve(key).describe()));
            for (ModelSize size : ModelSize.values()) {
                String kernel =
                        FusedOperatorsTest.kernel(device.supports(size.op().instance()));
                Outcome outcome = OpRunner.run(device, size.op());
                System.out.println(size + " runs as " + kernel + ": "
                        + (outcome instanceof Outcome.Passed ? "right" : outcome.toString()));
            }
        }
    }

    /**
     * Its output; every operator must have been right, and the emulator must have found no fault.
     *
     * @param home the installation
     * @param release what the emulator shall say of its version
     * @param packages value of the variable that names vendors' packages, empty for none
     * @param soc the product
     * @param functions keys of {@link CannLibraries#resolve}
     */
    static String run(Path home, String release, String packages, String soc, String... functions)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-D" + CannHome.PROPERTY + "=" + home,
                "-cp",
                classPath(),
                ModelSizesProgram.class.getName(),
                soc));
        command.addAll(List.of(functions));
        Path output = Files.createTempFile("weft", ".txt");
        try {
            ProcessBuilder builder =
                    new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
            builder.environment().remove(PACKAGES);
            builder.environment().put("WEFT_EMULATOR_VERSION", release);
            if (!packages.isEmpty()) {
                builder.environment().put(PACKAGES, packages);
            }
            Process process = builder.start();
            boolean ended = process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
            if (!ended) {
                process.destroyForcibly();
            }
            String printed = Files.readString(output);
            assertThat(ended).as(printed).isTrue();
            assertThat(process.exitValue()).as(printed).isZero();
            assertThat(printed.lines().filter(line -> line.contains(" runs as ")))
                    .hasSameSizeAs(ModelSize.values())
                    .allSatisfy(line -> assertThat(line).endsWith(": right"));
            return printed;
        } finally {
            Files.delete(output);
        }
    }

    /** Of this process, with the tests' own classes, which a module's path does not name. */
    private static String classPath() {
        String file = "/" + ModelSizesProgram.class.getName().replace('.', '/') + ".class";
        String tests = Path.of(
                        URI.create(ModelSizesProgram.class.getResource(file).toString()))
                .toString()
                .replace(file, "");
        return Stream.of(tests, System.getProperty("jdk.module.path", ""), System.getProperty("java.class.path", ""))
                .filter(path -> !path.isEmpty())
                .reduce((a, b) -> a + File.pathSeparator + b)
                .orElseThrow();
    }
}
