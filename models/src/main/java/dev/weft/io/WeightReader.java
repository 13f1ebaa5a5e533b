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

/** Turns stored tensors into the types that graphs expect (specification 2.2 and 2.4). */
final class WeightReader {
    private static final String WEIGHT = ".weight";
    private static final String SCALE = ".scale";
    private static final int CHUNK_BYTES = 1 << 16;
    private static final long ONES = 0x0101_0101_0101_0101L;
    private static final long HIGH_BITS = 0x8080_8080_8080_8080L;

    private final Checkpoint checkpoint;

    WeightReader(Checkpoint checkpoint) {
        this.checkpoint = checkpoint;
    }

    /** The tensor {@code name} as {@code expected}. */
    WeightData.Part part(String name, TensorType expected) {
        Located tensor = checkpoint.require(name);
        tensor.file().requireIntact();
        return expected.scaling().isNone() ? plain(tensor, expected) : scaled(name, tensor, expected);
    }

    private WeightData.Part plain(Located tensor, TensorType expected) {
        TensorEntry e = tensor.entry();
        if (!e.hasShape(expected.shape().maximum())) {
            throw mismatch(tensor, expected);
        }
        if (e.dtype() == expected.dtype()) {
            return new WeightData.Part(data(tensor), MemorySegment.NULL);
        }
        if (e.dtype() == DType.I64 && expected.dtype() == DType.I32) {
            return new WeightData.Part(narrowed(tensor), MemorySegment.NULL);
        }
        if (e.dtype() == DType.BF16 && expected.dtype() == DType.F32) {
            return new WeightData.Part(widened(tensor), MemorySegment.NULL);
        }
        throw mismatch(tensor, expected);
    }

    private WeightData.Part scaled(String name, Located tensor, TensorType expected) {
        boolean matches = expected.dtype() == DType.F4_E2M1
                ? isPackedFp4(tensor.entry(), expected)
                : tensor.entry().dtype() == expected.dtype()
                        && tensor.entry().hasShape(expected.shape().maximum());
        if (!matches) {
            throw mismatch(tensor, expected);
        }
        return new WeightData.Part(data(tensor), scales(name, tensor, expected));
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

    private MemorySegment scales(String name, Located weight, TensorType expected) {
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
        scale.file().requireIntact();
        checkFinite(scale);
        return data(scale);
    }

    /** Byte 255 is NaN and would poison whole blocks. Scales are copied out: a fault in a copy can be caught. */
    private static void checkFinite(Located scale) {
        long bytes = scale.entry().bytes();
        long[] chunk = new long[(int) Math.min(CHUNK_BYTES, bytes + 7) / Long.BYTES];
        MemorySegment target = MemorySegment.ofArray(chunk);
        for (long at = 0; at < bytes; at += target.byteSize()) {
            long n = Math.min(target.byteSize(), bytes - at);
            if (n < target.byteSize()) {
                Arrays.fill(chunk, 0);
            }
            scale.file().read(scale.entry().name(), at, target.asSlice(0, n));
            if (hasNan(chunk)) {
                throw new CheckpointException(scale + ": a scale byte at or after file offset "
                        + (scale.entry().offset() + at) + " is 255 (NaN), expected 0 to 254; the file is damaged");
            }
        }
    }

    /** Whether one of the bytes is 255: a zero byte in the complement, eight at a time. */
    private static boolean hasNan(long[] words) {
        long hits = 0;
        for (long w : words) {
            hits |= (~w - ONES) & w & HIGH_BITS;
        }
        return hits != 0;
    }

    /** I64 values as I32, the way the publisher's code holds its expert table. */
    private static MemorySegment narrowed(Located tensor) {
        TensorEntry e = tensor.entry();
        MemorySegment out = Arena.ofAuto().allocate(e.bytes() / 2, 64);
        long[] chunk = new long[CHUNK_BYTES / Long.BYTES];
        for (long at = 0; at < e.bytes(); at += CHUNK_BYTES) {
            int n = (int) Math.min(CHUNK_BYTES, e.bytes() - at) / Long.BYTES;
            tensor.file().read(e.name(), at, MemorySegment.ofArray(chunk).asSlice(0, (long) n * Long.BYTES));
            for (int i = 0; i < n; i++) {
                if (chunk[i] != (int) chunk[i]) {
                    throw new CheckpointException(tensor + ": element " + (at / Long.BYTES + i) + " is " + chunk[i]
                            + ", expected a value of 32 bits");
                }
                out.set(ValueLayout.JAVA_INT, at / 2 + 4L * i, (int) chunk[i]);
            }
        }
        return out.asReadOnly();
    }

    private static MemorySegment widened(Located tensor) {
        TensorEntry e = tensor.entry();
        MemorySegment out = Arena.ofAuto().allocate(e.bytes() * 2, 64);
        short[] chunk = new short[CHUNK_BYTES / Short.BYTES];
        for (long at = 0; at < e.bytes(); at += CHUNK_BYTES) {
            int n = (int) Math.min(CHUNK_BYTES, e.bytes() - at) / Short.BYTES;
            tensor.file().read(e.name(), at, MemorySegment.ofArray(chunk).asSlice(0, (long) n * Short.BYTES));
            for (int i = 0; i < n; i++) {
                out.set(ValueLayout.JAVA_INT, at * 2 + 4L * i, chunk[i] << 16);
            }
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
