package dev.weft.runtime;

import dev.weft.graph.Graph;
import dev.weft.graph.Node;
import dev.weft.graph.Value;
import dev.weft.op.Op;
import dev.weft.spi.Fusing;
import dev.weft.spi.Kernel;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Finds the groups of nodes that a device computes by one kernel, and a new order of the steps. Works on units: groups so
 * far, at first single nodes, with what each waits for. Two units become one only if that makes no circle.
 */
final class Fuser {
    private final Fusing device;
    private final Graph graph;
    private final Groups groups;
    private final Set<Unit> units = new LinkedHashSet<>();
    private final Map<Unit, Optional<String>> families = new HashMap<>();

    /** A group of nodes, in the order of the graph. */
    private static final class Unit {
        private List<Node> nodes;
        private @Nullable Kernel kernel;
        private final Step alone;
        private final Set<Unit> before = new LinkedHashSet<>();
        private final Set<Unit> after = new LinkedHashSet<>();

        Unit(Step alone) {
            this.nodes = alone.nodes();
            this.alone = alone;
            this.kernel = alone.kernel();
        }

        int first() {
            return nodes.getFirst().index();
        }
    }

    /** @param steps one for every node, in the order of the graph */
    Fuser(Fusing device, Graph graph, List<Step> steps) {
        this.device = device;
        this.graph = graph;
        this.groups = new Groups(graph);
        List<Unit> alone = steps.stream().map(Unit::new).toList();
        order(alone);
        units.addAll(alone);
    }

    /** Which unit waits for which. What the runtime runs itself stays where it is between the others. */
    private void order(List<Unit> alone) {
        Unit[] writer = new Unit[graph.values().size()];
        List<List<Unit>> readers = new ArrayList<>();
        graph.values().forEach(v -> readers.add(new ArrayList<>()));
        int barrier = -1;
        for (int i = 0; i < alone.size(); i++) {
            Unit u = alone.get(i);
            Node n = u.nodes.getFirst();
            for (Value in : n.inputs()) {
                follows(writer[in.root()], u);
                readers.get(in.root()).add(u);
            }
            for (Value out : n.outputs()) {
                follows(writer[out.root()], u);
                readers.get(out.root()).forEach(r -> follows(r, u));
                readers.get(out.root()).clear();
                writer[out.root()] = u;
            }
            if (u.kernel == null) {
                alone.subList(barrier + 1, i).forEach(earlier -> follows(earlier, u));
            }
            if (barrier >= 0) {
                follows(alone.get(barrier), u);
            }
            barrier = u.kernel == null ? i : barrier;
        }
    }

    private static void follows(@Nullable Unit earlier, Unit later) {
        if (earlier != null && earlier != later) {
            earlier.after.add(later);
            later.before.add(earlier);
        }
    }

    /** The steps, in an order in which each comes after what it waits for. */
    List<Step> fuse() {
        for (List<Class<? extends Op>> chain : device.chains()) {
            for (Unit u : List.copyOf(units)) {
                if (units.contains(u)) {
                    chain(u, chain);
                }
            }
        }
        joinFamilies();
        return schedule();
    }

    private boolean fits(Unit u, Class<? extends Op> op) {
        return u.kernel != null
                && u.nodes.size() == 1
                && op.isInstance(u.nodes.getFirst().op());
    }

    /**
     * Makes a unit of the chain that begins with {@code first}, if there is one: with all units that the second link reads, and
     * all that read the last but one, if the device has a kernel for so many.
     */
    private void chain(Unit first, List<Class<? extends Op>> chain) {
        if (!fits(first, chain.getFirst())) {
            return;
        }
        List<Unit> links = new ArrayList<>(List.of(first));
        for (Class<? extends Op> op : chain.subList(1, chain.size())) {
            Unit last = links.getLast();
            Optional<Unit> next = last.after.stream()
                    .filter(u -> fits(u, op) && reads(u, last))
                    .min(Comparator.comparingInt(Unit::first));
            if (next.isEmpty()) {
                return;
            }
            links.add(next.get());
        }
        Unit second = links.get(1);
        second.before.stream()
                .filter(u -> u != first && fits(u, chain.getFirst()) && reads(second, u))
                .forEach(links::add);
        List<Unit> more = new ArrayList<>(links);
        Unit last = links.get(chain.size() - 1);
        Unit ahead = links.get(chain.size() - 2);
        ahead.after.stream()
                .filter(u -> u != last && fits(u, chain.getLast()) && reads(u, ahead))
                .forEach(more::add);
        if (more.size() == links.size() || isTangled(more) || !merge(more)) {
            if (!isTangled(links)) {
                merge(links);
            }
        }
    }

    /** Whether a node alone reads a result of another. */
    private static boolean reads(Unit reader, Unit made) {
        return made.nodes.getFirst().outputs().stream()
                .anyMatch(out -> reader.nodes.getFirst().inputs().stream().anyMatch(in -> in.root() == out.root()));
    }

    /** Whether something outside of {@code links} waits for one of them and is waited for by another. */
    private static boolean isTangled(List<Unit> links) {
        Set<Unit> outside = new LinkedHashSet<>();
        links.forEach(u -> outside.addAll(u.after));
        links.forEach(outside::remove);
        Set<Unit> reached = reach(outside, u -> u.after);
        return links.stream().anyMatch(reached::contains);
    }

    private static Set<Unit> reach(Set<Unit> from, Function<Unit, Set<Unit>> next) {
        Set<Unit> reached = new HashSet<>(from);
        List<Unit> open = new ArrayList<>(from);
        while (!open.isEmpty()) {
            for (Unit u : next.apply(open.removeLast())) {
                if (reached.add(u)) {
                    open.add(u);
                }
            }
        }
        return reached;
    }

    /** Joins units of one family that do not wait for one another, each to the earliest that takes it. */
    private void joinFamilies() {
        for (Unit u : List.copyOf(units)) {
            if (u.kernel == null) {
                continue;
            }
            Optional<String> family = family(u);
            if (family.isEmpty()) {
                continue;
            }
            Set<Unit> related = reach(u.before, x -> x.before);
            related.addAll(reach(u.after, x -> x.after));
            for (Unit other : List.copyOf(units)) {
                if (other == u) {
                    break;
                }
                if (other.kernel != null
                        && !related.contains(other)
                        && family.equals(family(other))
                        && merge(List.of(other, u))) {
                    break;
                }
            }
        }
    }

    private Optional<String> family(Unit u) {
        return families.computeIfAbsent(u, x -> device.family(groups.of(x.nodes).shape()));
    }

    /** Makes one unit of several if the device has a kernel for all. */
    private boolean merge(List<Unit> parts) {
        List<Node> nodes = parts.stream()
                .flatMap(u -> u.nodes.stream())
                .sorted(Comparator.comparingInt(Node::index))
                .toList();
        Optional<Kernel> kernel = device.fuse(groups.of(nodes).shape());
        if (kernel.isEmpty()) {
            return false;
        }
        Unit whole = parts.getFirst();
        for (Unit part : parts.subList(1, parts.size())) {
            part.before.forEach(u -> u.after.remove(part));
            part.after.forEach(u -> u.before.remove(part));
            part.before.forEach(u -> follows(u, whole));
            part.after.forEach(u -> follows(whole, u));
            units.remove(part);
        }
        whole.nodes = nodes;
        families.remove(whole);
        whole.kernel = kernel.get();
        return true;
    }

    private List<Step> schedule() {
        PriorityQueue<Unit> ready = new PriorityQueue<>(Comparator.comparingInt(Unit::first));
        units.stream().filter(u -> u.before.isEmpty()).forEach(ready::add);
        List<Step> steps = new ArrayList<>();
        while (!ready.isEmpty()) {
            Unit u = ready.remove();
            steps.add(
                    u.nodes.size() == 1
                            ? u.alone
                            : new Step(u.nodes, groups.of(u.nodes).operands(), u.kernel, false));
            for (Unit next : u.after) {
                next.before.remove(u);
                if (next.before.isEmpty()) {
                    ready.add(next);
                }
            }
        }
        return steps;
    }
}
