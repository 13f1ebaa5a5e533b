package dev.weft.bench;

import dev.weft.graph.Graph;
import dev.weft.graph.Node;
import dev.weft.graph.Value;
import dev.weft.op.AllToAll;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.op.MoeCombine;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.MoeGather;
import dev.weft.op.MoePlaces;
import dev.weft.op.MoeReturn;
import dev.weft.op.MoeSend;
import dev.weft.op.Unsort;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What the time of a layer goes to. */
enum LayerPart {
    /** From the norm before attention to its output projection. */
    ATTENTION,
    /** Scores and choice of experts. */
    GATE,
    /** Rows sorted by expert, and sent to the ranks of their experts. */
    DISPATCH,
    /** Routed experts on the rows that arrived. */
    EXPERTS,
    /** The expert of all rows. */
    SHARED,
    /** Rows sent back, and summed. */
    COMBINE,
    /** Hyper-connections, the norm before the experts, quantisation of its result. */
    REST,
    /** For other ranks, before collectives. */
    WAITING;

    /** Name in reports. */
    String key() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Which part every node of a layer belongs to, in the graph's order: what uses the result of a part belongs to it. */
    static List<LayerPart> of(Graph graph) {
        Map<Integer, LayerPart> values = new HashMap<>();
        List<LayerPart> parts = new ArrayList<>();
        for (Node node : graph.nodes()) {
            LayerPart part = of(node, values);
            parts.add(part);
            node.outputs().forEach(v -> values.put(v.id(), flows(node, part)));
        }
        return parts;
    }

    private static LayerPart of(Node node, Map<Integer, LayerPart> values) {
        return switch (node.op()) {
            case HyperPre _, HyperPost _ -> REST;
            case MoeGate _ -> GATE;
            case MoePlaces _, MoeGather _, MoeDispatch _, MoeSend _ -> DISPATCH;
            case Unsort _, AllToAll _, MoeReturn _, MoeCombine _ -> COMBINE;
            default -> {
                if (node.label().contains(".attn.")) {
                    yield ATTENTION;
                }
                if (uses(node, ".ffn.gate.")) {
                    yield GATE;
                }
                if (uses(node, ".shared_experts.")) {
                    yield SHARED;
                }
                yield node.inputs().stream()
                        .map(v -> values.getOrDefault(v.id(), REST))
                        .filter(p -> p == EXPERTS || p == SHARED)
                        .findFirst()
                        .orElse(REST);
            }
        };
    }

    private static boolean uses(Node node, String weight) {
        return node.inputs().stream()
                .anyMatch(v -> v.kind() == Value.Kind.WEIGHT && v.name().contains(weight));
    }

    /** What comes out of a dispatch is for the experts. */
    private static LayerPart flows(Node node, LayerPart part) {
        return part == DISPATCH ? EXPERTS : part;
    }
}
