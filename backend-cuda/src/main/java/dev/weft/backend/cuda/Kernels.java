package dev.weft.backend.cuda;

import dev.weft.UnsupportedOpException;
import dev.weft.backend.cuda.kernel.CudaOps;
import dev.weft.backend.cuda.kernel.Fusions;
import dev.weft.backend.cuda.kernel.Way;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.spi.NodeGroup;
import dev.weft.spi.Support;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * Chooses the way that runs an operator instance: the first that does not refuse it and whose kernels are in an image for
 * the device.
 */
final class Kernels {
    private final CudaDevice device;
    private final boolean simple;
    private final Map<Class<? extends Op>, Way> preferred;
    private final Map<OpInstance, Choice> choices = new ConcurrentHashMap<>();

    /**
     * @param simple whether only simple ways are used
     * @param preferred ways that come before those of {@link CudaOps}, by operator
     */
    Kernels(CudaDevice device, boolean simple, Map<Class<? extends Op>, Way> preferred) {
        this.device = device;
        this.simple = simple;
        this.preferred = preferred;
    }

    private List<Way> ways(Op op) {
        return Stream.concat(Stream.ofNullable(preferred.get(op.getClass())), CudaOps.ways(op).stream())
                .toList();
    }

    /** What became of an instance. */
    private sealed interface Choice {}

    /** @param lacking what kept a faster way from loading, empty if nothing did */
    private record Chosen(Way way, String lacking) implements Choice {}

    /** @param reasons of every way */
    private record None(String reasons) implements Choice {}

    private Choice choose(OpInstance op) {
        Choice known = choices.get(op);
        if (known == null) {
            known = look(op);
            choices.put(op, known);
        }
        return known;
    }

    private Choice look(OpInstance op) {
        List<String> reasons = new ArrayList<>();
        List<String> lacking = new ArrayList<>();
        for (Way way : ways(op.op())) {
            if (simple && !way.isSimple()) {
                continue;
            }
            Optional<String> refusal = way.refusal().of(op, device.chip());
            Optional<String> absence = refusal.isPresent() ? Optional.empty() : absence(way, op);
            absence.ifPresent(reason -> lacking.add(way.name() + ": " + reason));
            Optional<String> reason = refusal.or(() -> absence);
            if (reason.isEmpty()) {
                return new Chosen(way, String.join("; ", lacking));
            }
            reasons.add(way.name() + ": " + reason.get());
        }
        return new None(
                reasons.isEmpty() ? "no CUDA kernel for " + op.op().name() + " yet" : String.join("; ", reasons));
    }

    /** Why the kernels of a way cannot be had: what it launches at the largest extents is loaded. */
    private Optional<String> absence(Way way, OpInstance op) {
        try (Arena arena = Arena.ofConfined()) {
            new Emission(
                            op,
                            device.chip(),
                            way.attributes().apply(op),
                            List.of(),
                            device.functions(),
                            Emission.nowhere(op.all(), arena),
                            new Emission.Counter(arena))
                    .run(way);
            return Optional.empty();
        } catch (UnsupportedOpException e) {
            return Optional.of(e.getMessage());
        }
    }

    /** Of the kernels that compute it; empty if none do. */
    Optional<Way.Kind> kind(OpInstance op) {
        return choose(op) instanceof Chosen chosen ? Optional.of(chosen.way().kind()) : Optional.empty();
    }

    boolean isSimple() {
        return simple;
    }

    /** The ways of the members of a group. */
    List<Way> ways(NodeGroup group) {
        return group.members().stream().map(m -> way(m.instance())).toList();
    }

    /** A kernel for a group; empty if there is none, or not in the images. */
    Optional<CudaGroup> fuse(NodeGroup group) {
        List<Way> ways = ways(group);
        return Fusions.way(group, ways).flatMap(way -> {
            CudaGroup kernel = new CudaGroup(device, group, ways, way);
            try (Arena arena = Arena.ofConfined()) {
                kernel.emit(kernel.nowhere(arena), new Emission.Counter(arena));
                return Optional.of(kernel);
            } catch (UnsupportedOpException e) {
                return Optional.empty();
            }
        });
    }

    Support supports(OpInstance op) {
        return switch (choose(op)) {
            case None none -> new Support.Unsupported(none.reasons());
            case Chosen(Way way, String lacking) ->
                lacking.isEmpty()
                        ? new Support.Native(way.name())
                        : new Support.Emulated(way.name(), "in place of a faster kernel; " + lacking);
        };
    }

    /** The way for a supported instance. @throws UnsupportedOpException with all reasons if there is none */
    Way way(OpInstance op) {
        return switch (choose(op)) {
            case Chosen chosen -> chosen.way();
            case None none ->
                throw new UnsupportedOpException(op + " on " + device.info().id() + ": " + none.reasons());
        };
    }
}
