package dev.weft.io;

import dev.weft.io.Checkpoint.Located;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/**
 * Tells checkpoints apart without reading them whole: SHA-256 over the configuration, names, dtypes and shapes of all tensors and over a
 * piece from the middle of some. Training changes every matrix, so a few hundred pieces distinguish what was trained
 * differently; a checkpoint in which somebody changed single values by hand may pass as the original. How tensors are
 * dealt out to shards makes no difference.
 */
final class Fingerprint {
    private static final int SAMPLES = 256;
    private static final int SAMPLE_BYTES = 4096;

    private final MessageDigest digest;

    private Fingerprint() {
        try {
            this.digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }

    /** The fingerprint in hexadecimal digits. */
    static String of(Checkpoint checkpoint, String configuration) {
        Fingerprint f = new Fingerprint();
        f.digest.update(configuration.getBytes(StandardCharsets.UTF_8));
        List<String> names = checkpoint.names().stream().sorted().toList();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment piece = arena.allocate(SAMPLE_BYTES);
            for (int i = 0; i < names.size(); i++) {
                Located tensor = checkpoint.require(names.get(i));
                f.declare(names.get(i), tensor.entry());
                // evenly spread, the last tensor among them
                if ((long) (i + 1) * SAMPLES / names.size() > (long) i * SAMPLES / names.size()) {
                    f.sample(tensor, piece);
                }
            }
        }
        return HexFormat.of().formatHex(f.digest.digest());
    }

    private void declare(String name, TensorEntry e) {
        String text = name + " " + e.dtype() + " " + Arrays.toString(e.shape()) + "\n";
        digest.update(text.getBytes(StandardCharsets.UTF_8));
    }

    private void sample(Located tensor, MemorySegment piece) {
        TensorEntry e = tensor.entry();
        long n = Math.min(SAMPLE_BYTES, e.bytes());
        MemorySegment read = piece.asSlice(0, n);
        tensor.file().read(e.name(), (e.bytes() - n) / 2, read);
        ByteBuffer bytes = read.asByteBuffer();
        digest.update(bytes);
    }
}
