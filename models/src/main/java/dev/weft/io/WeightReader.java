package dev.weft.io;

import dev.weft.CheckpointException;
import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.io.Checkpoint.Located;
import dev.weft.spi.WeightData;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Turns stored tensors into the types that graphs expect (specification 2.2 and 2.4). */
final class WeightReader {
    private static final String WEIGHT = ".weight";
    private static final String SCALE = ".scale";
    private static final int CHUNK_BYTES = 1 << 16;

    private final Checkpoint checkpoint;

    WeightReader(Checkpoint checkpoint) {
        this.checkpoint = checkpoint;
    }

    /** Tensors as {@code expected} each. @throws CheckpointException if a file they lie in is another than it was */
    List<WeightData.Part> parts(List<String> names, TensorType expected) {
        Set<SafetensorsFile> intact = new HashSet<>();
        return names.stream().map(n -> part(n, expected, intact)).toList();
    }

    private WeightData.Part part(String name, TensorType expected, Set<SafetensorsFile> intact) {
        Located tensor = requireIntact(checkpoint.require(name), intact);
        return expected.scaling().isNone() ? plain(tensor, expected) : scaled(name, tensor, expected, intact);
    }

    /** Asks for a file's size once per weight: experts are many tensors of few files. */
    private static Located requireIntact(Located tensor, Set<SafetensorsFile> intact) {
        if (intact.add(tensor.file())) {
            tensor.file().requireIntact();
        }
        return tensor;
    }

    private WeightData.Part plain(Located tensor, TensorType expected) {
        TensorEntry e = tensor.entry();
        if (!e.hasShape(expected.shape().maximum())) {
            throw mismatch(tensor, expected);
        }
        if (e.dtype() == expected.dtype()) {
            return part(tensor, null);
        }
        if (e.dtype() == DType.I64 && expected.dtype() == DType.I32) {
            return new WeightData.Part(narrowed(tensor), MemorySegment.NULL);
        }
        if (e.dtype() == DType.BF16 && expected.dtype() == DType.F32) {
            return new WeightData.Part(widened(tensor), MemorySegment.NULL);
        }
        throw mismatch(tensor, expected);
    }

    private WeightData.Part scaled(String name, Located tensor, TensorType expected, Set<SafetensorsFile> intact) {
        boolean matches = expected.dtype() == DType.F4_E2M1
                ? isPackedFp4(tensor.entry(), expected)
                : tensor.entry().dtype() == expected.dtype()
                        && tensor.entry().hasShape(expected.shape().maximum());
        if (!matches) {
            throw mismatch(tensor, expected);
        }
        return part(tensor, requireIntact(scales(name, tensor, expected), intact));
    }

    /** The stored bytes as they are. */
    private static WeightData.Part part(Located tensor, @Nullable Located scale) {
        WeightData.Origin origin = new WeightData.Origin(stored(tensor), scale == null ? null : stored(scale));
        return new WeightData.Part(data(tensor), scale == null ? MemorySegment.NULL : data(scale), origin);
    }

    private static WeightData.Stored stored(Located tensor) {
        return new WeightData.Stored(
                tensor.entry().name(), tensor.file(), tensor.entry().offset());
    }

    /** Published as I8 with half the columns; derivatives say U8, or F4 with all columns. */
    private static boolean isPackedFp4(TensorEntry e, TensorType expected) {
        long[] logical = expected.shape().maximum();
        int last = logical.length - 1;
        if (logical[last] % 2 != 0) {
            return false;
        }
        return switch (e.dtype()) {
            case F4_E2M1 -> e.hasShape(logical);
            case I8, U8 -> {
                logical[last] /= 2;
                yield e.hasShape(logical);
            }
            default -> false;
        };
    }

    private Located scales(String name, Located weight, TensorType expected) {
        String scaleName =
                name.endsWith(WEIGHT) ? name.substring(0, name.length() - WEIGHT.length()) + SCALE : name + SCALE;
        Located scale = checkpoint
                .locate(scaleName)
                .orElseThrow(() -> new CheckpointException(weight + ": is quantised, but its scale tensor " + scaleName
                        + " is missing from the checkpoint"));
        Scaling scaling = expected.scaling();
        long[] dims = scaling.scaleDims(expected.shape().maximum());
        if (scale.entry().dtype() != DType.F8_E8M0 || !scale.entry().hasShape(dims)) {
            throw mismatch(scale, TensorType.of(DType.F8_E8M0, dims));
        }
        return scale;
    }

    /** I64 values as I32, the way the publisher's code holds its expert table. */
    private static MemorySegment narrowed(Located tensor) {
        TensorEntry e = tensor.entry();
        MemorySegment out = Arena.ofAuto().allocate(e.bytes() / 2, 64);
        long[] chunk = new long[CHUNK_BYTES / Long.BYTES];
        int[] values = new int[chunk.length];
        for (long at = 0; at < e.bytes(); at += CHUNK_BYTES) {
            int n = (int) Math.min(CHUNK_BYTES, e.bytes() - at) / Long.BYTES;
            tensor.file().read(e.name(), at, MemorySegment.ofArray(chunk).asSlice(0, (long) n * Long.BYTES));
            int wide = narrow(chunk, values, n);
            if (wide < n) {
                throw new CheckpointException(tensor + ": element " + (at / Long.BYTES + wide) + " is " + chunk[wide]
                        + ", expected a value of 32 bits");
            }
            MemorySegment.copy(values, 0, out, ValueLayout.JAVA_INT, at / 2, n);
        }
        return out.asReadOnly();
    }

    /** Index of the first of {@code n} values that has more than 32 bits, {@code n} if none has. */
    private static int narrow(long[] from, int[] to, int n) {
        for (int i = 0; i < n; i++) {
            to[i] = (int) from[i];
            if (to[i] != from[i]) {
                return i;
            }
        }
        return n;
    }

    private static MemorySegment widened(Located tensor) {
        TensorEntry e = tensor.entry();
        MemorySegment out = Arena.ofAuto().allocate(e.bytes() * 2, 64);
        short[] chunk = new short[CHUNK_BYTES / Short.BYTES];
        int[] bits = new int[chunk.length];
        for (long at = 0; at < e.bytes(); at += CHUNK_BYTES) {
            int n = (int) Math.min(CHUNK_BYTES, e.bytes() - at) / Short.BYTES;
            tensor.file().read(e.name(), at, MemorySegment.ofArray(chunk).asSlice(0, (long) n * Short.BYTES));
            for (int i = 0; i < n; i++) {
                bits[i] = chunk[i] << 16;
            }
            MemorySegment.copy(bits, 0, out, ValueLayout.JAVA_INT, at * 2, n);
        }
        return out.asReadOnly();
    }

    private static MemorySegment data(Located tensor) {
        return tensor.file().data(tensor.entry().name());
    }

    private static CheckpointException mismatch(Located tensor, TensorType expected) {
        TensorEntry e = tensor.entry();
        return new CheckpointException(tensor + ": found " + DTypeNames.of(e.dtype()) + " " + Arrays.toString(e.shape())
                + ", expected " + expected);
    }
}
