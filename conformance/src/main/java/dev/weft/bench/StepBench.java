package dev.weft.bench;

import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.V4Graphs;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Device;
import dev.weft.runtime.Execution;
import dev.weft.runtime.Placement;
import dev.weft.spi.HardwareLimit;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A step of a graph, run again and again: whole, then node by node. Rerunning a step gives its states the values they have.
 *
 * @param step the whole step
 * @param nodes every node that has a kernel, by its label and in the graph's order; a kernel of several nodes stands at the last of
 *     them, with the work of all. By the host's clock their times contain some microseconds of waiting
 * @param roof what both were held against, measured between the rounds; empty if the device measures no ceiling
 */
public record StepBench(Result step, List<Result> nodes, Optional<Roof> roof) {
    public StepBench {
        nodes = List.copyOf(nodes);
    }

    /**
     * Times the step that {@code model} ran last, all of whose logits are wanted.
     *
     * @param device where the model is
     * @param position tokens of its only sequence before the step
     * @param tokens tokens of the step
     */
    public static StepBench of(DeepSeekV4 model, Device device, int position, int tokens, Rounds rounds) {
        Graph graph = model.graph();
        Span span = span(model.config(), position, tokens);
        List<Work> nodes =
                graph.nodes().stream().map(n -> NodeCost.of(n, span).work()).toList();
        return of(model.execution(), device, graph, GraphCost.of(graph, span), nodes, rounds);
    }

    /**
     * Times the step that {@code execution} is set up for.
     *
     * @param graph what it runs, on {@code device}
     * @param whole what the step has to do
     * @param work what every node of it has to do, in the graph's order
     */
    public static StepBench of(
            Execution execution, Device device, Graph graph, Work whole, List<Work> work, Rounds rounds) {
        long[] nanos = new long[work.size()];
        double[][] seconds = new double[nanos.length][rounds.count()];
        Rounds.Trial trial = new Rounds.Run(execution) {
            @Override
            public void finish(int round) {
                execution.profile(nanos);
                for (int i = 0; round >= rounds.warmUp() && i < nanos.length; i++) {
                    seconds[i][round - rounds.warmUp()] = Math.max(1, nanos[i]) / 1e9;
                }
            }
        };
        EnumSet<HardwareLimit> units = EnumSet.of(HardwareLimit.BF16_DOT, HardwareLimit.F32_FMA);
        Series series = rounds.run(device, whole.bytes(), units, trial, round -> {});
        List<Result> nodes = new ArrayList<>();
        List<Work> ofKernels = Work.ofKernels(execution.placement(), work);
        for (Placement.Row row : execution.placement().rows()) {
            if (!row.isJoined()) {
                nodes.add(series.result(row.node(), ofKernels.get(row.index()), seconds[row.index()]));
            }
        }
        return new StepBench(series.result("step", whole), nodes, series.roof());
    }

    /** Of a node with this label; empty if the kernel of another node computes it. */
    public Optional<Result> node(String label) {
        return nodes.stream().filter(r -> r.name().equals(label)).findFirst();
    }

    /** What every node of a backbone has to do in such a step, if its rows choose experts by chance. */
    public static List<Work> work(ModelConfig config, Graph graph, int position, int tokens) {
        Span span = span(config, position, tokens);
        return graph.nodes().stream().map(n -> NodeCost.of(n, span).work()).toList();
    }

    /**
     * What every node of any graph has to do in a step, by the cost model of its operator.
     *
     * @param extents of the graph's named dimensions
     */
    public static List<Work> work(Graph graph, Map<String, Long> extents) {
        return graph.nodes().stream()
                .map(n -> {
                    List<TensorType> in = n.inputs().stream()
                            .map(v -> v.type().bind(extents::get))
                            .toList();
                    return new Work(n.op().bytes(in), n.op().flops(in), NodeCost.unit(n));
                })
                .toList();
    }

    private static Span span(ModelConfig config, int position, int tokens) {
        double experts = Span.expectedExperts(config.nRoutedExperts(), config.numExpertsPerTok(), tokens);
        return new Span(1, position, tokens, experts, V4Graphs.extents(tokens, 1, tokens));
    }
}
