package dev.weft.verify;

import dev.weft.DeviceId;
import dev.weft.graph.Node;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One node of a step on all devices, each fed with the reference's operands.
 *
 * @param step which step, as in {@code prefill}
 * @param node the node
 * @param outcomes by device, in the order asked for
 */
public record NodeReport(String step, Node node, Map<DeviceId, NodeOutcome> outcomes) {
    public NodeReport {
        outcomes = Collections.unmodifiableMap(new LinkedHashMap<>(outcomes));
    }
}
