package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DeviceId;
import dev.weft.DeviceLostException;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpCases;
import dev.weft.conformance.Outcome;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceInfo;
import dev.weft.spi.Support;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** Devices that every case loses and that do not close either. */
class VerifyRunsTest {
    private static final OpCase CASE = OpCases.all().getFirst();

    private final List<DeviceId> opened = new ArrayList<>();

    private static BackendDevice device() {
        DeviceInfo info = new DeviceInfo(DeviceId.parse("acme:0"), "", "hardware", 0, List.of());
        return (BackendDevice) Proxy.newProxyInstance(
                VerifyRunsTest.class.getClassLoader(),
                new Class<?>[] {BackendDevice.class},
                (proxy, method, arguments) -> switch (method.getName()) {
                    case "info" -> info;
                    case "supports" -> new Support.Native("kernel");
                    case "prepare" -> throw new DeviceLostException("acme:0 is lost");
                    case "close" -> throw new IllegalStateException("its driver is gone");
                    default -> throw new AssertionError(method);
                });
    }

    private List<String> run(int cases, Function<DeviceId, BackendDevice> opener) {
        List<String> failures = new ArrayList<>();
        try (VerifyRuns runs = new VerifyRuns(device(), opener)) {
            for (int i = 0; i < cases; i++) {
                failures.add(((Outcome.Failed) runs.run(CASE, i)).message());
            }
        }
        return failures;
    }

    @Test
    void oneThatDoesNotCloseMayOpenAgain() {
        List<String> failures = run(12, id -> {
            opened.add(id);
            return device();
        });
        assertThat(failures.subList(0, 10)).allMatch(f -> f.endsWith("acme:0 is lost"));
        assertThat(failures.subList(10, 12)).allMatch(f -> f.endsWith("not run: acme:0 was lost 10 times"));
        assertThat(opened).hasSize(9).containsOnly(DeviceId.parse("acme:0"));
    }

    @Test
    void whatOneThatDoesNotOpenHasToldIsKept() {
        List<String> failures = run(2, id -> {
            throw new IllegalStateException("no such device");
        });
        assertThat(failures.getFirst()).endsWith("acme:0 is lost");
        assertThat(failures.getLast())
                .endsWith(
                        "not run: acme:0 was lost and does not open again: no such device, nor did it close: its driver"
                                + " is gone");
    }
}
