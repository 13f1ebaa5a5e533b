package dev.weft.backend.cpu.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CheckpointException;
import dev.weft.DeviceMemoryException;
import dev.weft.io.SafetensorsFile;
import dev.weft.io.SafetensorsWriter;
import dev.weft.io.TensorEntry;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Session;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that are not what they should be are refused by name and leave nothing behind. */
class SessionFileRefusalTest {
    private static final int TOKENS = 140;
    private static final LoadOptions OPTIONS =
            LoadOptions.defaults().maxContext(256).maxSequences(2).withMtp();

    @TempDir
    Path folder;

    private Path file = Path.of("");
    private TinyModel tiny;

    @BeforeEach
    void save() {
        file = folder.resolve("s.safetensors");
        TinyModel.write(folder.resolve("model"), TinyModel.config(), 5);
        tiny = TinyModel.open(folder.resolve("model"), OPTIONS);
        try (Session s = tiny.model().newSession()) {
            s.append(TinyModel.ids(TOKENS, 1));
            s.save(file);
        }
    }

    @AfterEach
    void nothingIsLeft() {
        assertThat(tiny.model().memory().freePages())
                .isEqualTo(tiny.model().memory().pages());
        try (Session a = tiny.model().newSession();
                Session b = tiny.model().newSession()) {
            assertThat(a.position() + b.position()).isZero();
        }
        tiny.close();
    }

    private void refused(String... words) {
        List<String> expected = new ArrayList<>(List.of(words));
        expected.add(file.toString());
        assertThatThrownBy(() -> tiny.model().loadSession(file))
                .isInstanceOf(CheckpointException.class)
                .message()
                .contains(expected);
    }

    @Test
    void truncatedFiles() throws IOException {
        byte[] whole = Files.readAllBytes(file);
        for (int length : new int[] {0, 7, 8, 9, 100, 2000, whole.length / 2, whole.length - 4, whole.length - 1}) {
            Files.write(file, Arrays.copyOf(whole, length));
            refused(length < 8 ? "expected at least 8" : "truncated?");
        }
        Files.write(file, Arrays.copyOf(whole, whole.length + 1));
        refused();
    }

    @Test
    void oneFlippedBitAnywhere() throws IOException {
        byte[] whole = Files.readAllBytes(file);
        SplittableRandom random = new SplittableRandom(3);
        int header =
                8 + (int) ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).getLong();
        for (int i = 0; i < 600; i++) {
            int at = i < 64 ? i : i < 300 ? random.nextInt(header) : random.nextInt(header, whole.length);
            at = i >= 590 ? whole.length - 1 - (i - 590) : at;
            byte[] damaged = whole.clone();
            damaged[at] ^= (byte) (1 << random.nextInt(8));
            Files.write(file, damaged);
            assertThatThrownBy(() -> tiny.model().loadSession(file))
                    .as("a bit of byte %d of %d", at, whole.length)
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining(file.toString());
        }
        damagedState(whole, header);
    }

    /** In the states nothing but the checksum can tell. */
    private void damagedState(byte[] whole, int header) throws IOException {
        byte[] damaged = whole.clone();
        damaged[(header + whole.length) / 2] ^= 1;
        Files.write(file, damaged);
        refused("checksum", "damaged");
    }

    @Test
    void otherFiles() throws IOException {
        file = folder.resolve("absent");
        refused("does not exist");
        file = folder;
        refused("is a directory");
        file = folder.resolve("model").resolve("model-00001-of-00001.safetensors");
        refused("checksum", "no session file");
        file = Files.writeString(folder.resolve("text"), "Once upon a time, and a very good time it was");
        refused();
    }

    @ParameterizedTest
    @CsvSource({
        "weft.session, 2, 'found 2, expected 1'",
        "checkpoint, 00ff, belongs to another model",
        "mode, FP32, 'found FP32, expected BF16'",
        "highWater, 139, highWater=139",
        "highWater, 149, highWater=149",
        "highWater, many, 'found ''many'', expected a number'",
        "mtpPosition, 141, mtpPosition=141",
        "mtpPosition, 100, mtpPosition=100"
    })
    void whatTheMetadataSays(String key, String value, String words) {
        forge(Map.of(key, value), "", 0);
        refused(key, words);
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, TinyModel.VOCABULARY, Integer.MIN_VALUE})
    void tokensOutsideTheVocabulary(int id) {
        forge(Map.of(), "tokens", id);
        refused("token " + id);
    }

    @Test
    void anUntouchedForgeryIsFine() {
        forge(Map.of(), "", 0);
        try (Session s = tiny.model().loadSession(file)) {
            assertThat(s.tokens()).isEqualTo(TinyModel.ids(TOKENS, 1));
        }
    }

    /** Writes the file again with a right checksum and something else in it. */
    private void forge(Map<String, String> metadata, String tensor, int firstValue) {
        Path forged = folder.resolve("forged");
        try (SafetensorsFile in = SafetensorsFile.open(file)) {
            SafetensorsWriter.Declaration out = SafetensorsWriter.to(forged);
            Map<String, String> all = new LinkedHashMap<>(in.metadata());
            all.putAll(metadata);
            all.forEach(out::metadata);
            for (String name : in.names()) {
                TensorEntry e = in.find(name).orElseThrow();
                out.tensor(name, e.dtype(), e.shape());
            }
            try (SafetensorsWriter w = out.open()) {
                for (String name : in.names()) {
                    byte[] bytes = new byte[(int) in.find(name).orElseThrow().bytes()];
                    in.read(name, 0, MemorySegment.ofArray(bytes));
                    ByteBuffer b = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
                    if (name.equals(tensor)) {
                        b.putInt(0, firstValue);
                    }
                    if (name.equals("checksum")) {
                        b.putInt(0, (int) w.checksum());
                    }
                    w.write(name, bytes);
                }
                w.finish();
            }
        }
        file = forged;
    }

    @Test
    void filesOfOtherModels() {
        Path other = folder.resolve("other");
        TinyModel.write(other, TinyModel.config(), 6);
        savedBy(other, OPTIONS);
        refused("checkpoint", "belongs to another model");
        Path limited = folder.resolve("limited");
        TinyModel.write(limited, TinyModel.config().with("swiglu_limit", 4.0), 5);
        savedBy(limited, OPTIONS);
        refused("checkpoint", "belongs to another model");
    }

    @Test
    void filesOfOtherOptions() {
        savedBy(folder.resolve("model"), OPTIONS.mode(NumericMode.QAT32));
        refused("mode", "found QAT32, expected BF16", "load the model with the options");
        savedBy(folder.resolve("model"), OPTIONS.rollback(3));
        refused("rollback", "found 3, expected 8");
        savedBy(folder.resolve("model"), LoadOptions.defaults().maxContext(256));
        refused("mtp", "found false, expected true");
        savedBy(folder.resolve("model"), OPTIONS.maxContext(300), 257);
        refused("found 257 tokens, expected at most 256", "larger maxContext");
    }

    private void savedBy(Path model, LoadOptions options) {
        savedBy(model, options, 9);
    }

    private void savedBy(Path model, LoadOptions options, int tokens) {
        try (TinyModel other = TinyModel.open(model, options);
                Session s = other.model().newSession()) {
            s.append(TinyModel.ids(tokens, 1));
            s.save(file);
        }
    }

    @Test
    void noRoom() {
        try (TinyModel small = TinyModel.open(folder.resolve("model"), OPTIONS.cachePages(2));
                Session s = small.model().newSession()) {
            s.append(TinyModel.ids(100, 2)); // one page of two
            assertThatThrownBy(() -> small.model().loadSession(file))
                    .isInstanceOf(DeviceMemoryException.class)
                    .hasMessageContaining("found 1 free of 2, expected 2");
            s.truncate(0);
            try (Session loaded = small.model().loadSession(file)) {
                assertThat(loaded.position()).isEqualTo(TOKENS);
                assertThatThrownBy(() -> small.model().loadSession(file))
                        .isInstanceOf(DeviceMemoryException.class)
                        .hasMessageContaining("all 2 are in use");
            }
        }
    }
}
