package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.DeviceId;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.op.OpInstance;
import dev.weft.op.Scale;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Backends;
import dev.weft.spi.Capturing;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.KernelArguments;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Repeated steps replay graphs with the same results as call by call, for any order of extents and any room for graphs. */
class CaptureTest {
    private Emulator emulator;

    @BeforeEach
    void start() {
        emulator = Emulator.start().with("delay", "100");
    }

    @AfterEach
    void stop() {
        if (emulator != null) {
            emulator.close();
        }
    }

    @ParameterizedTest
    @CsvSource({"on, 8", "on, 2", "on, 1", "off, 8", "require, 3"})
    void stepsOfChangingExtents(String capture, String graphs) {
        BackendConfig config =
                BackendConfig.DEFAULT.with(CudaOptions.CAPTURE, capture).with(CudaOptions.GRAPHS, graphs);
        try (Weft weft = Weft.of(Backends.of(config, List.of(new CudaProvider())))) {
            CompiledGraph compiled = weft.device("cuda:0").compile(Network.graph());
            try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
                    StateStore states = compiled.newStates();
                    Execution execution = compiled.newExecution(weights, states)) {
                for (int step = 0; step < 60; step++) {
                    int tokens = 1 + step / 3 * 7 % 5;
                    assertThat(Network.step(execution, tokens, step))
                            .as("step " + step)
                            .isEqualTo(Network.expected(Network.input(tokens, step)));
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1", "2"})
    void executionsOfOneGraphShareADevice(int graphs) {
        BackendConfig config = BackendConfig.DEFAULT.with(CudaOptions.GRAPHS, "" + graphs);
        try (Weft weft = Weft.of(Backends.of(config, List.of(new CudaProvider())))) {
            CompiledGraph compiled = weft.device("cuda:0").compile(Network.graph());
            try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
                    StateStore states = compiled.newStates();
                    Execution a = compiled.newExecution(weights, states);
                    Execution b = compiled.newExecution(weights, states)) {
                for (int step = 0; step < 10; step++) {
                    assertThat(Network.step(a, 3, step)).isEqualTo(Network.expected(Network.input(3, step)));
                    assertThat(Network.step(b, 4, step)).isEqualTo(Network.expected(Network.input(4, step)));
                }
            }
        }
    }

    /** Also on chips and by images that cannot: the emulator reports a launch that asks for it there. */
    @ParameterizedTest
    @CsvSource({"90, cubin", "90, ptx", "80, cubin"})
    void launchesMayAskToOverlap(int sm, String kind, @TempDir Path folder) throws IOException {
        emulator.with("sm", Integer.toString(sm));
        try (Stream<Path> images = Files.list(Path.of(System.getProperty(CudaOptions.IMAGES)))) {
            for (Path image : images.filter(p -> p.toString().endsWith(kind)).toList()) {
                Files.copy(image, folder.resolve(image.getFileName()));
            }
        }
        BackendConfig config = BackendConfig.DEFAULT.with(CudaOptions.IMAGES, folder.toString());
        try (Weft weft = Weft.of(Backends.of(config, List.of(new CudaProvider())))) {
            List<float[]> outputs = Network.run(weft.device("cuda:0"), 3, 3, 3);
            for (int step = 0; step < outputs.size(); step++) {
                assertThat(outputs.get(step)).isEqualTo(Network.expected(Network.input(3, step)));
            }
        }
    }

    /** Drivers before CUDA 12.3 record such launches, if at all, as ordinary ones. */
    @ParameterizedTest
    @CsvSource({"true, 12030, true", "true, 12020, false", "false, 13000, false"})
    void launchesOverlapWhereGraphsKeepThem(String asked, int driver, boolean overlaps) {
        BackendConfig config = BackendConfig.DEFAULT.with(CudaOptions.OVERLAP, asked);
        assertThat(CudaOptions.of(config).overlaps(driver)).isEqualTo(overlaps);
    }

    /** The first run with some extents goes call by call, the second is recorded; the least recently used graph gives way. */
    @Test
    void graphsAreMadeAndGiveWay() {
        BackendConfig config = BackendConfig.DEFAULT.with(CudaOptions.GRAPHS, "2");
        TensorType type = TensorType.of(
                DType.F32, Shape.of(Dim.named("tokens", 1, Network.MOST_TOKENS), Dim.fixed(Network.WIDTH)));
        OpInstance op = OpInstance.of(new Scale(0.5f), List.of(type));
        try (CudaBackend backend = emulator.open(config);
                BackendDevice device = backend.open(DeviceId.parse("cuda:0"));
                DeviceBuffer buffer = device.allocate(8192, 256);
                DeviceStream stream = device.createStream();
                Arena arena = Arena.ofShared()) {
            KernelArguments arguments = new KernelArguments(op.all(), arena);
            arguments.bind(0, buffer.address(), 0);
            arguments.bind(1, buffer.address() + 4096, 0);
            try (CudaCapture capture = (CudaCapture)
                    ((Capturing) device).capture(List.of(new Capturing.Call(device.prepare(op), arguments)))) {
                List<Integer> graphs = new ArrayList<>();
                for (int rows : new int[] {3, 3, 3, 5, 5, 7, 3, 7, 5}) {
                    arguments.extent(0, 0, rows);
                    arguments.extent(1, 0, rows);
                    capture.extentsChanged();
                    float[] x = Network.input(rows, graphs.size());
                    float[] y = new float[x.length];
                    stream.copyIn(MemorySegment.ofArray(x), buffer.address());
                    capture.enqueue(stream);
                    stream.copyOut(buffer.address() + 4096, MemorySegment.ofArray(y));
                    stream.synchronize();
                    for (int i = 0; i < x.length; i++) {
                        assertThat(y[i]).isEqualTo(x[i] * 0.5f);
                    }
                    graphs.add(capture.graphs());
                }
                // 7 runs once and displaces nothing; recorded it displaces 5, which then runs for the first time again
                assertThat(graphs).containsExactly(0, 1, 1, 1, 2, 2, 2, 2, 2);
            }
        }
    }
}
