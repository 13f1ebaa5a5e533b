package dev.weft.cli;

import dev.weft.spi.Backends;
import dev.weft.spi.Probe;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The backends of this project and their artifacts, to name those that are not on the class path. */
final class KnownBackends {
    private static final Map<String, String> ARTIFACTS = artifacts();

    private KnownBackends() {}

    private static Map<String, String> artifacts() {
        Map<String, String> all = new LinkedHashMap<>();
        for (String name : List.of("cpu", "cuda", "ascend")) {
            all.put(name, "weft-backend-" + name);
        }
        return all;
    }

    /** Every backend that cannot be used here with the reason: those found but absent, then those not found. */
    static Map<String, String> absent(List<Backends.Status> found) {
        Map<String, String> reasons = new LinkedHashMap<>();
        for (Backends.Status s : found) {
            if (s.probe() instanceof Probe.Absent absent) {
                reasons.put(s.name(), absent.reason());
            }
        }
        ARTIFACTS.forEach((name, artifact) -> {
            if (found.stream().noneMatch(s -> s.name().equals(name))) {
                reasons.put(name, "not on the class path: add " + artifact);
            }
        });
        return reasons;
    }
}
