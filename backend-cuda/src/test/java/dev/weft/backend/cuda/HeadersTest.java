package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.backend.cuda.Presets.Field;
import dev.weft.backend.cuda.Presets.Kind;
import dev.weft.backend.cuda.kernel.Grid;
import dev.weft.spi.nativelib.Symbol;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Constants, functions and structures as we write them down against NVIDIA's headers, as JavaCPP read them. */
class HeadersTest {
    private static final Presets DRIVER = Presets.of("cudart");
    private static final Presets NCCL = Presets.of("nccl");
    private static final Presets CUBLAS = Presets.of("cublas");

    /** Functions whose newer version came after {@link DriverLibrary#OLDEST}; later drivers still have the old one. */
    private static final List<String> OLD = List.of("cuEventElapsedTime");

    @TestFactory
    Stream<DynamicTest> constants() {
        return constants(DriverConstants.class, DRIVER);
    }

    /** Those of data types are {@code library_types.h}'s, which the driver's preset has. */
    @TestFactory
    Stream<DynamicTest> constantsOfCublasLt() {
        return constants(CublasLtConstants.class, CUBLAS, DRIVER);
    }

    private static Stream<DynamicTest> constants(Class<?> ours, Presets... headers) {
        assertThat(ours.getDeclaredFields()).isNotEmpty();
        return Arrays.stream(ours.getDeclaredFields())
                .map(f -> DynamicTest.dynamicTest(
                        f.getName(),
                        () -> assertThat(Arrays.stream(headers)
                                        .map(h -> h.constant(f.getName()))
                                        .filter(OptionalLong::isPresent)
                                        .findFirst())
                                .hasValue(OptionalLong.of(f.getInt(null)))));
    }

    @Test
    void constantsOfNccl() {
        assertThat(NCCL.constant("ncclSuccess")).hasValue(NcclLibrary.OK);
        assertThat(NCCL.constant("ncclInProgress")).hasValue(NcclLibrary.IN_PROGRESS);
        assertThat(NCCL.constant("ncclUint8")).hasValue(NcclLibrary.BYTE);
    }

    @TestFactory
    Stream<DynamicTest> functionsOfTheDriver() {
        return functions(Driver.class, DRIVER);
    }

    @TestFactory
    Stream<DynamicTest> functionsOfNccl() {
        return functions(Nccl.class, NCCL);
    }

    @TestFactory
    Stream<DynamicTest> functionsOfNvrtc() {
        return functions(Nvrtc.class, Presets.of("nvrtc"));
    }

    @TestFactory
    Stream<DynamicTest> functionsOfCublasLt() {
        return functions(CublasLt.class, CUBLAS);
    }

    /** The algorithm comes first, whose words the preset does not count. */
    @Test
    void whatCublasLtAnswersLiesAsTheHeaderLaysItOut() {
        Map<String, Field> result = Presets.structure("cublas/cublasLtMatmulHeuristicResult_t");
        long skipped = CublasProducts.ALGORITHM_BYTES - result.get("algo").bytes();
        assertThat(result.keySet()).startsWith("algo", "workspaceSize", "state", "wavesCount");
        assertThat(result.get("workspaceSize").offset() + skipped).isEqualTo(CublasProducts.ALGORITHM_BYTES);
        assertThat(result.get("state").offset() + skipped).isEqualTo(CublasProducts.STATE);
    }

    private static Stream<DynamicTest> functions(Class<?> binding, Presets header) {
        return Arrays.stream(binding.getDeclaredMethods())
                .map(m -> DynamicTest.dynamicTest(
                        m.getName(),
                        () -> assertThat(header.functions(m.getName()))
                                .as("%s is none of these", m)
                                .anyMatch(s -> agrees(m, s))));
    }

    private static boolean agrees(Method ours, Presets.Signature header) {
        Class<?>[] types = ours.getParameterTypes();
        return types.length == header.parameters().size()
                && agrees(ours.getReturnType(), header.result())
                && IntStream.range(0, types.length)
                        .allMatch(i -> agrees(types[i], header.parameters().get(i)));
    }

    private static boolean agrees(Class<?> ours, Kind header) {
        return switch (header) {
            case INT -> ours == int.class;
            case LONG, HANDLE -> ours == long.class;
            case VOID_POINTER -> ours == long.class || ours == MemorySegment.class; // of the device, of the host
            case POINTER, STRUCTURE -> ours == MemorySegment.class;
        };
    }

    /** Which version of a function a name stands for only the header itself says; a toolkit has it. */
    @Test
    void symbolsAreThoseTheHeaderRenamesTo() throws IOException {
        List<Path> headers;
        try (DirectoryStream<Path> toolkits = Files.newDirectoryStream(Path.of("/usr/local"), "cuda*")) {
            headers = StreamSupport.stream(toolkits.spliterator(), false)
                    .map(toolkit -> toolkit.resolve("include/cuda.h"))
                    .filter(Files::exists)
                    .toList();
        }
        Assumptions.assumeFalse(headers.isEmpty(), "there is no toolkit in /usr/local");
        Matcher renaming = Pattern.compile("#\\s*define\\s+(cu[A-Z]\\w+)\\s+(?:__CUDA_API_PT[DS][SZ]\\()?(cu\\w+)")
                .matcher(Files.readString(headers.getFirst()));
        Map<String, String> renamed =
                renaming.results().collect(Collectors.toMap(r -> r.group(1), r -> r.group(2), (a, b) -> a));
        assertThat(renamed).containsEntry("cuMemAlloc", "cuMemAlloc_v2");
        for (Method m : Driver.class.getDeclaredMethods()) {
            Symbol symbol = m.getAnnotation(Symbol.class);
            String expected = OLD.contains(m.getName()) ? m.getName() : renamed.getOrDefault(m.getName(), m.getName());
            assertThat(symbol == null ? m.getName() : symbol.value())
                    .as(m.getName())
                    .isEqualTo(expected);
        }
    }

    @Test
    void launchIsWrittenAsTheHeaderLaysItOut() {
        Map<String, Long> launch = new HashMap<>();
        Consumer<Object[]> seen = arguments -> {
            launch.putAll(read(arguments[0], Presets.structure("cudart/CUlaunchConfig")));
            // an id, then a union whose alignment is that of an address
            MemorySegment attribute =
                    MemorySegment.ofAddress(launch.remove("attrs")).reinterpret(16);
            launch.put("id", (long) attribute.get(ValueLayout.JAVA_INT, 0));
            launch.put("value", (long) attribute.get(ValueLayout.JAVA_INT, 8));
        };
        withContext("cuLaunchKernelEx", seen, context -> {
            var kernel = new dev.weft.backend.cuda.Function("k", 0x70, true, 0);
            context.launch(new Launch(kernel, new Grid(11, 12, 13), 64, 4096, MemorySegment.NULL), 0x55);
        });
        long serialization = DriverConstants.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
        assertThat(launch)
                .isEqualTo(Map.ofEntries(
                        Map.entry("gridDimX", 11L),
                        Map.entry("gridDimY", 12L),
                        Map.entry("gridDimZ", 13L),
                        Map.entry("blockDimX", 64L),
                        Map.entry("blockDimY", 1L),
                        Map.entry("blockDimZ", 1L),
                        Map.entry("sharedMemBytes", 4096L),
                        Map.entry("hStream", 0x55L),
                        Map.entry("numAttrs", 1L),
                        Map.entry("id", serialization),
                        Map.entry("value", 1L)));
    }

    @Test
    void copyOfRowsIsWrittenAsTheHeaderLaysItOut() {
        List<Map<String, Long>> copies = new ArrayList<>();
        Map<String, Field> layout = Presets.structure("cudart/CUDA_MEMCPY2D_v2");
        withContext(
                "cuMemcpy2DAsync",
                arguments -> copies.add(read(arguments[0], layout)),
                context -> context.copyRows(0x1000, 32, 0x2000, 48, 24, 7, 0));
        long device = DriverConstants.CU_MEMORYTYPE_DEVICE;
        assertThat(copies)
                .singleElement()
                .isEqualTo(Map.ofEntries(
                        Map.entry("srcXInBytes", 0L),
                        Map.entry("srcY", 0L),
                        Map.entry("srcMemoryType", device),
                        Map.entry("srcHost", 0L),
                        Map.entry("srcDevice", 0x1000L),
                        Map.entry("srcArray", 0L),
                        Map.entry("srcPitch", 32L),
                        Map.entry("dstXInBytes", 0L),
                        Map.entry("dstY", 0L),
                        Map.entry("dstMemoryType", device),
                        Map.entry("dstHost", 0L),
                        Map.entry("dstDevice", 0x2000L),
                        Map.entry("dstArray", 0L),
                        Map.entry("dstPitch", 48L),
                        Map.entry("WidthInBytes", 24L),
                        Map.entry("Height", 7L)));
    }

    @Test
    void configurationOfNcclIsWrittenAsTheHeaderLaysItOut() throws ReflectiveOperationException {
        MethodType type = MethodType.methodType(
                int.class, MemorySegment.class, int.class, MemorySegment.class, int.class, MemorySegment.class);
        Joining joining = new Joining();
        NcclLibrary library = new NcclLibrary(
                (Nccl) Proxy.newProxyInstance(Nccl.class.getClassLoader(), new Class<?>[] {Nccl.class}, (_, _, _) -> 0),
                MethodHandles.lookup().findVirtual(Joining.class, "join", type).bindTo(joining),
                "none",
                21400,
                false);
        byte[] id = new byte[NcclLibrary.ID_BYTES];
        id[127] = 5;
        assertThat(library.initRank(MemorySegment.NULL, 4, id, 3)).isEqualTo(7);
        assertThat(joining.size).isEqualTo(4);
        assertThat(joining.rank).isEqualTo(3);
        assertThat(joining.lastOfId).isEqualTo((byte) 5);
        assertThat(joining.config)
                .isEqualTo(Map.of("size", 24L, "magic", (long) 0xcafebeef, "version", 21400L, "blocking", 0L));
    }

    /** Plays {@code ncclCommInitRankConfig}. */
    private static final class Joining {
        private int size;
        private int rank;
        private byte lastOfId;
        private Map<String, Long> config = Map.of();

        @SuppressWarnings("unused") // by its handle
        int join(MemorySegment comm, int size, MemorySegment id, int rank, MemorySegment config) {
            this.size = size;
            this.rank = rank;
            this.lastOfId = id.get(ValueLayout.JAVA_BYTE, 127);
            Map<String, Field> layout = Presets.structure("nccl/ncclConfig_t");
            layout.keySet().retainAll(List.of("size", "magic", "version", "blocking"));
            this.config = read(config, layout);
            return 7;
        }
    }

    /** A context on a driver that does nothing but tell {@code seen} with what the function was called. */
    private static void withContext(String function, Consumer<Object[]> seen, Consumer<CudaContext> body) {
        Driver driver = (Driver) Proxy.newProxyInstance(
                Driver.class.getClassLoader(), new Class<?>[] {Driver.class}, (_, method, arguments) -> {
                    if (method.getName().equals(function)) {
                        seen.accept(arguments);
                    }
                    return DriverConstants.CUDA_SUCCESS;
                });
        CudaContext context = new CudaContext(driver, new Health("test", driver), 0, true);
        body.accept(context);
        context.leave();
    }

    private static Map<String, Long> read(Object structure, Map<String, Field> layout) {
        MemorySegment bytes = (MemorySegment) structure;
        Function<Field, Long> value = f -> f.bytes() == Integer.BYTES
                ? (long) bytes.get(ValueLayout.JAVA_INT, f.offset())
                : bytes.get(ValueLayout.JAVA_LONG, f.offset());
        return layout.entrySet().stream().collect(Collectors.toMap(Map.Entry::getKey, e -> value.apply(e.getValue())));
    }
}
