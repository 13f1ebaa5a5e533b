package dev.weft.cli;

import dev.weft.spi.Backends;
import dev.weft.spi.Probe;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What to say of backends that are not on the class path. */
final class KnownBackends {
    private static final Map<String, String> ADVICE = advice();

    private KnownBackends() {}

    private static Map<String, String> advice() {
        Map<String, String> all = new LinkedHashMap<>();
        all.put("cpu", "add weft-backend-cpu");
        all.put("cuda", "add weft-backend-cuda");
        all.put("ascend", "add weft-backend-ascend");
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
        ADVICE.forEach((name, advice) -> {
            if (found.stream().noneMatch(s -> s.name().equals(name))) {
                reasons.put(name, "not on the class path: " + advice);
            }
        });
        return reasons;
    }
}
