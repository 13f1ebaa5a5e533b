package dev.weft.cli;

import dev.weft.CheckpointException;
import dev.weft.DeviceId;
import dev.weft.WeftException;
import dev.weft.io.Checkpoint;
import dev.weft.runtime.Weft;
import dev.weft.spi.DeviceInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Holds every device, and the rungs of its ladder, against the scalar reference on one passage. */
final class DeviceComparison {
    private static final DeviceId REFERENCE = DeviceId.parse("cpu:0/scalar");

    /** Variants that are rungs of their own; instruction-set levels are the same kernels again. */
    private static final Set<String> RUNGS = Set.of("vector");

    private static final int PREFILL = 128;
    private static final int COMPARED = 16;
    private static final double TOLERANCE = 1e-3;

    private final Terminal shown;
    private final Checkpoint checkpoint;
    private final Weft weft;
    private final int[] passage;
    private final int prefill;
    private final int compared;

    /** @param passage two tokens or more; the first run as a prefill, the others one by one as time allows */
    DeviceComparison(Terminal shown, Checkpoint checkpoint, Weft weft, int[] passage) {
        if (passage.length < 2) {
            throw new CheckpointException("passage: found " + passage.length + " tokens, expected 2 or more");
        }
        this.shown = shown;
        this.checkpoint = checkpoint;
        this.weft = weft;
        this.passage = passage;
        this.prefill = Math.min(PREFILL, passage.length - 1);
        this.compared = Math.min(COMPARED, passage.length - prefill);
    }

    /** Runs all and adds the results to {@code root}. @return whether every device agrees with the reference */
    boolean run(ObjectNode root) {
        root.put("tolerance", TOLERANCE).put("rows", prefill + compared);
        ArrayNode results = root.putArray("results");
        shown.printf(
                "%d tokens of prefill and %d of decode in fp32 against %s, tolerance %.0e:%n%n",
                prefill, compared, REFERENCE, TOLERANCE);
        shown.printf(
                "%-14s %12s %12s %12s %12s  %-6s %s%n",
                "device", "prefill t/s", "decode t/s", "max |diff|", "same argmax", "", "kernels");
        DeviceTrial reference = trial(REFERENCE);
        boolean passed = true;
        for (DeviceId id : candidates(weft)) {
            passed &= judge(id, reference, results);
        }
        row(reference, reference.difference(reference), "ref", results);
        return passed;
    }

    /** Every device, best first, and the rungs of its ladder. */
    static List<DeviceId> candidates(Weft weft) {
        List<DeviceId> all = new ArrayList<>();
        for (DeviceInfo d : weft.deviceInfos()) {
            all.add(d.id());
            d.variants().stream()
                    .filter(RUNGS::contains)
                    .forEach(v -> all.add(new DeviceId(d.id().backend(), d.id().ordinal(), v)));
        }
        return all;
    }

    private DeviceTrial trial(DeviceId id) {
        return DeviceTrial.run(shown, checkpoint, weft.device(id), passage, prefill, compared);
    }

    private boolean judge(DeviceId id, DeviceTrial reference, ArrayNode results) {
        try {
            DeviceTrial trial = trial(id);
            DeviceTrial.Difference difference = trial.difference(reference);
            boolean ok = difference.within(TOLERANCE);
            row(trial, difference, ok ? "pass" : "FAIL", results);
            return ok;
        } catch (WeftException e) {
            shown.printf("%-14s could not run the model: %s%n", id, e.getMessage());
            results.addObject()
                    .put("device", id.toString())
                    .put("status", "error")
                    .put("reason", e.getMessage());
            return false;
        }
    }

    private void row(DeviceTrial trial, DeviceTrial.Difference difference, String status, ArrayNode results) {
        double agreement = (double) difference.agreeing() / difference.rows();
        shown.printf(
                "%-14s %12s %12s %12.1e %11.1f%%  %-6s %s%n",
                trial.id(),
                trial.speed().prefillColumn(),
                trial.speed().decodeColumn(),
                difference.largest(),
                100 * agreement,
                status,
                trial.level());
        ObjectNode result =
                results.addObject().put("device", trial.id().toString()).put("kernels", trial.level());
        trial.speed().toJson(result);
        result.put("maxLogitDifference", difference.largest())
                .put("argmaxAgreement", agreement)
                .put("status", status.toLowerCase(Locale.ROOT));
    }
}
