package dev.weft.bench;

import dev.weft.graph.Graph;
import dev.weft.graph.Node;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.V4Graphs;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Device;
import dev.weft.runtime.Execution;
import dev.weft.spi.HardwareLimit;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;

/**
 * The last step of a loaded model, run again and again: whole, then node by node. All of the step's logits are wanted.
 * Rerunning a step gives its states the values they have.
 *
 * @param step the whole step
 * @param nodes every node, in the graph's order; their times contain some microseconds of waiting
 */
public record StepBench(Result step, List<Result> nodes) {
    public StepBench {
        nodes = List.copyOf(nodes);
    }

    /**
     * Times the step that {@code model} ran last.
     *
     * @param device where the model is
     * @param position tokens of its only sequence before the step
     * @param tokens tokens of the step
     */
    public static StepBench of(DeepSeekV4 model, Device device, int position, int tokens, Rounds rounds) {
        Graph graph = model.graph();
        Execution execution = model.execution();
        Span span = span(model.config(), position, tokens);
        long[] nanos = new long[graph.nodes().size()];
        double[][] seconds = new double[nanos.length][rounds.count()];
        Rounds.Trial trial = new Rounds.Trial() {
            @Override
            public void run() {
                execution.run();
            }

            @Override
            public void finish(int round) {
                execution.profile(nanos);
                for (int i = 0; round >= rounds.warmUp() && i < nanos.length; i++) {
                    seconds[i][round - rounds.warmUp()] = Math.max(1, nanos[i]) / 1e9;
                }
            }
        };
        Work whole = GraphCost.of(graph, span);
        EnumSet<HardwareLimit> units = EnumSet.of(HardwareLimit.BF16_DOT, HardwareLimit.F32_FMA);
        Series series = rounds.run(device, whole.bytes(), units, trial, round -> {});
        List<Result> nodes = new ArrayList<>();
        for (Node node : graph.nodes()) {
            Work work = NodeCost.of(node, span).work();
            nodes.add(series.result(node.label(), work, seconds[node.index()]));
        }
        return new StepBench(series.result("step", whole), nodes);
    }

    /** What every node of a backbone has to do in such a step, if its rows choose experts by chance. */
    public static List<Work> work(ModelConfig config, Graph graph, int position, int tokens) {
        Span span = span(config, position, tokens);
        return graph.nodes().stream().map(n -> NodeCost.of(n, span).work()).toList();
    }

    private static Span span(ModelConfig config, int position, int tokens) {
        double experts = Span.expectedExperts(config.nRoutedExperts(), config.numExpertsPerTok(), tokens);
        return new Span(1, position, tokens, experts, V4Graphs.extents(tokens, 1, tokens));
    }
}
