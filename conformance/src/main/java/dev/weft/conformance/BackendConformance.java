package dev.weft.conformance;

import dev.weft.DeviceId;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Backends;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Every operator of a device against the scalar reference. A backend joins by a subclass in its own tests:
 *
 * <pre>{@code
 * class MyConformanceTest extends BackendConformance {
 *     @Override
 *     protected String device() {
 *         return "mine:0";
 *     }
 * }
 * }</pre>
 *
 * <p>What the device declines is reported as skipped with its reason, never as passed.
 */
public abstract class BackendConformance {
    /** Id of the device under test, for example {@code cpu:0/scalar}. */
    protected abstract String device();

    /** Settings the backend is opened with. */
    protected BackendConfig config() {
        return BackendConfig.DEFAULT;
    }

    /** The backends to find the device in; closed by the suite. */
    protected Backends backends() {
        return Backends.load(config());
    }

    /**
     * Whether an operator is tested, by its name in lower camel case: all are, unless {@code -Dweft.test.ops=add,rmsNorm}
     * names some, for whoever writes a kernel.
     */
    protected boolean includes(String operator) {
        String chosen = System.getProperty("weft.test.ops", "").strip();
        return chosen.isEmpty() || List.of(chosen.split("\\s*,\\s*")).contains(operator);
    }

    /** One container per operator, one test per case. */
    @TestFactory
    public Stream<DynamicNode> operators() {
        Backends backends = backends();
        BackendDevice device;
        try {
            device = backends.device(DeviceId.parse(device()));
        } catch (RuntimeException | Error e) {
            backends.close();
            throw e;
        }
        List<DynamicNode> nodes = new ArrayList<>();
        OpCases.byOperator().forEach((name, cases) -> {
            if (includes(name)) {
                nodes.add(DynamicContainer.dynamicContainer(
                        name, cases.stream().map(c -> test(c.toString(), () -> OpRunner.run(device, c)))));
            }
        });
        nodes.add(DynamicContainer.dynamicContainer(
                "batchInvariance",
                BatchInvariance.all().stream()
                        .filter(c -> includes(c.many().op().name()))
                        .map(c -> test(c.toString(), () -> BatchInvariance.run(device, c)))));
        return nodes.stream().onClose(() -> close(device, backends));
    }

    private static void close(BackendDevice device, Backends backends) {
        try (backends) {
            device.close();
        }
    }

    private static DynamicTest test(String name, Supplier<Outcome> run) {
        return DynamicTest.dynamicTest(name, () -> {
            switch (run.get()) {
                case Outcome.Passed p -> {}
                case Outcome.Failed f -> Assertions.fail(f.message());
                case Outcome.Unsupported u -> Assumptions.abort(name + ": " + u.reason());
            }
        });
    }
}
