package dev.weft.cli;

import dev.weft.CheckpointException;
import dev.weft.DType;
import dev.weft.Shape;
import dev.weft.io.Checkpoint;
import dev.weft.io.TensorEntry;
import dev.weft.model.config.ModelConfig;
import dev.weft.model.config.ModelInventory;
import dev.weft.model.config.StoredTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * What a checkpoint holds, and what its configuration demands that it does not hold.
 *
 * @param dtypes number and bytes of the stored tensors by element format
 * @param parameters elements of all demanded tensors but scales and tables
 * @param demanded number of tensors that the configuration demands
 * @param problems demanded tensors that are missing or stored otherwise
 * @param unused stored tensors that nothing demands
 */
record Inspection(Map<DType, Total> dtypes, long parameters, int demanded, List<String> problems, List<String> unused) {
    /** Number and bytes of tensors. */
    record Total(int tensors, long bytes) {
        Total plus(long more) {
            return new Total(tensors + 1, bytes + more);
        }
    }

    static Inspection of(Checkpoint checkpoint, ModelConfig config) {
        Map<DType, Total> dtypes = new TreeMap<>();
        for (String name : checkpoint.names()) {
            TensorEntry entry = checkpoint.find(name).orElseThrow();
            dtypes.merge(entry.dtype(), new Total(1, entry.bytes()), (a, b) -> a.plus(entry.bytes()));
        }
        List<StoredTensor> inventory;
        try {
            inventory = ModelInventory.of(config);
        } catch (CheckpointException e) {
            return new Inspection(dtypes, 0, 0, List.of(e.getMessage()), List.of());
        }
        List<String> problems = new ArrayList<>();
        Set<String> demanded = new HashSet<>();
        long parameters = 0;
        for (StoredTensor t : inventory) {
            demanded.add(t.name());
            parameters += parameters(t);
            problem(t, checkpoint.find(t.name())).ifPresent(problems::add);
        }
        List<String> unused =
                checkpoint.names().stream().filter(n -> !demanded.contains(n)).toList();
        return new Inspection(dtypes, parameters, inventory.size(), problems, unused);
    }

    /** Packed FP4 counts two to the byte; scales and the token-to-expert table are no parameters of their own. */
    private static long parameters(StoredTensor t) {
        long elements = Shape.elements(t.shape());
        return switch (t.role()) {
            case SCALE, EXPERT_TABLE -> 0;
            case QUANTISED -> t.dtype() == DType.I8 ? 2 * elements : elements;
            default -> elements;
        };
    }

    private static Optional<String> problem(StoredTensor expected, Optional<TensorEntry> found) {
        if (found.isEmpty()) {
            return Optional.of(
                    expected.name() + ": missing, expected " + expected.dtype() + Arrays.toString(expected.shape()));
        }
        TensorEntry f = found.get();
        return f.dtype() == expected.dtype() && f.hasShape(expected.shape())
                ? Optional.empty()
                : Optional.of(expected.name() + ": found " + f.dtype() + Arrays.toString(f.shape()) + ", expected "
                        + expected.dtype() + Arrays.toString(expected.shape()));
    }
}
