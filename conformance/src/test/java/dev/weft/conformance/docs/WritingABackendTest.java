package dev.weft.conformance.docs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DeviceId;
import dev.weft.conformance.BackendConformance;
import dev.weft.conformance.DeviceConformance;
import dev.weft.conformance.OpCases;
import dev.weft.conformance.OpRunner;
import dev.weft.conformance.Outcome;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.BackendProvider;
import dev.weft.spi.Backends;
import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Constructor;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.spi.ToolProvider;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;

/** The backend of {@code docs/writing-a-backend.md}, compiled from the page's text. */
class WritingABackendTest {
    private static final Path PAGE = Path.of("../docs/writing-a-backend.md");
    private static final List<String> ITS_OPERATORS = List.of("add", "gemm", "mul", "rmsNorm", "scale");

    @TempDir
    private static Path folder;

    private static URLClassLoader loader;

    @BeforeAll
    static void compile() throws IOException {
        Map<String, String> files = Page.files(PAGE);
        Page.write(files, folder.resolve("source"));
        Path classes = folder.resolve("classes");
        List<String> sources = files.keySet().stream()
                .filter(f -> f.endsWith(".java") && !f.equals("module-info.java"))
                .toList();
        assertThat(sources).hasSizeGreaterThan(6);
        javac(sources, "-d", classes.toString(), "-cp", path());
        // as a module: the same without the test
        List<String> module = new ArrayList<>(sources);
        module.removeIf(f -> f.endsWith("Test.java"));
        module.add("module-info.java");
        javac(module, "-d", folder.resolve("module").toString(), "-p", path());
        String service = "META-INF/services/dev.weft.spi.BackendProvider";
        Page.write(Map.of(service, files.get(service)), classes);
        loader = new URLClassLoader(new URL[] {classes.toUri().toURL()}, WritingABackendTest.class.getClassLoader());
    }

    @AfterAll
    static void close() throws IOException {
        loader.close();
    }

    private static void javac(List<String> sources, String... options) {
        List<String> arguments = new ArrayList<>(List.of(options));
        arguments.addAll(List.of("-proc:none", "-Xlint:all,-missing-explicit-ctor,-processing,-path", "-Werror"));
        sources.forEach(s -> arguments.add(folder.resolve("source").resolve(s).toString()));
        StringWriter messages = new StringWriter();
        PrintWriter out = new PrintWriter(messages, true);
        int code = ToolProvider.findFirst("javac").orElseThrow().run(out, out, arguments.toArray(String[]::new));
        assertThat(code).as(messages.toString()).isZero();
    }

    /** Where the classes are that the page needs, whether this test runs on the module path or on the class path. */
    private static String path() {
        return Stream.of(BackendProvider.class, BackendConformance.class, Test.class, Logger.class)
                .map(WritingABackendTest::location)
                .collect(Collectors.joining(File.pathSeparator));
    }

    private static String location(Class<?> type) {
        try {
            return Path.of(type.getProtectionDomain()
                            .getCodeSource()
                            .getLocation()
                            .toURI())
                    .toString();
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Backends backends() {
        return Backends.of(
                BackendConfig.DEFAULT,
                ServiceLoader.load(BackendProvider.class, loader).stream()
                        .filter(p -> p.type().getName().startsWith("acme."))
                        .map(ServiceLoader.Provider::get)
                        .toList());
    }

    /** The page's own test class. */
    @TestFactory
    Stream<DynamicNode> itsSuitePasses() throws ReflectiveOperationException {
        Constructor<?> constructor =
                loader.loadClass("acme.AcmeConformanceTest").getDeclaredConstructor();
        constructor.setAccessible(true);
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        thread.setContextClassLoader(loader);
        try {
            return ((BackendConformance) constructor.newInstance()).operators();
        } finally {
            thread.setContextClassLoader(before);
        }
    }

    /** The page's other test class. */
    @TestFactory
    Stream<DynamicTest> itsDevicesKeepTheirPromises() throws ReflectiveOperationException {
        Constructor<?> constructor = loader.loadClass("acme.AcmeDevicesTest").getDeclaredConstructor();
        constructor.setAccessible(true);
        Object suite = constructor.newInstance();
        return Arrays.stream(DeviceConformance.class.getMethods())
                .filter(m -> m.isAnnotationPresent(Test.class))
                .map(m -> DynamicTest.dynamicTest(m.getName(), () -> m.invoke(suite)));
    }

    @Test
    void itsOperatorsRunAndTheOthersAreRefusedWithAReason() {
        Map<String, Integer> passed = new TreeMap<>();
        try (Backends backends = backends();
                BackendDevice device = backends.device(DeviceId.parse("acme:0"))) {
            OpCases.byOperator()
                    .forEach((name, cases) -> cases.forEach(c -> {
                        switch (OpRunner.run(device, c)) {
                            case Outcome.Passed p -> passed.merge(name, 1, Integer::sum);
                            case Outcome.Failed f -> throw new AssertionError(f.message());
                            case Outcome.Unsupported u -> assertThat(u.reason()).startsWith("Acme ");
                        }
                    }));
        }
        assertThat(passed.keySet()).containsExactlyElementsOf(ITS_OPERATORS);
        assertThat(passed.values()).as("cases of %s", passed).allMatch(n -> n >= 4);
    }

    @Test
    void itsAbsenceIsExplained() {
        System.setProperty("acme.absent", "true");
        try (Weft weft = Weft.of(backends())) {
            assertThat(weft.deviceInfos()).isEmpty();
            assertThat(weft.backends().getFirst().toString()).contains("acme_rt is not installed");
        } finally {
            System.clearProperty("acme.absent");
        }
    }
}
