package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.UnsupportedOpException;
import dev.weft.backend.cuda.kernel.Part;
import dev.weft.spi.KernelArguments;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What kernels are given is where they look for it. */
class CallLayoutTest {
    private static final Path HEADER = Path.of("../native/cuda/include/weft/cuda/call.cuh");

    /** Members of {@code weft::Call} in order, each an array or a single word. */
    private static final Pattern MEMBER =
            Pattern.compile("^    (?:i64|void \\*|Operand) ?(\\w+)(?:\\[(\\w+)])?;", Pattern.MULTILINE);

    private static int constant(String header, String name) {
        Matcher m = Pattern.compile("constexpr int " + name + " = (\\d+);").matcher(header);
        assertThat(m.find()).as(name).isTrue();
        return Integer.parseInt(m.group(1));
    }

    @Test
    void theHeaderSaysTheSame() throws IOException {
        String header = Files.readString(HEADER);
        assertThat(constant(header, "MAX_OPERANDS")).isEqualTo(CallLayout.MAX_OPERANDS);
        assertThat(constant(header, "MAX_ATTRIBUTES")).isEqualTo(CallLayout.MAX_ATTRIBUTES);
        assertThat(constant(header, "MAX_TABLES")).isEqualTo(CallLayout.MAX_TABLES);
        List<String> members = MEMBER.matcher(header.substring(header.indexOf("struct Call {")))
                .results()
                .map(m -> m.group(1) + " " + m.group(2))
                .toList();
        assertThat(members)
                .containsExactly("at MAX_OPERANDS", "attribute MAX_ATTRIBUTES", "table MAX_TABLES", "workspace null");
        List<String> operand = MEMBER.matcher(
                        header.substring(header.indexOf("struct Operand {"), header.indexOf("struct Call {")))
                .results()
                .map(m -> m.group(1))
                .toList();
        assertThat(operand).containsExactly("data", "scale", "dtype", "scaling", "rank", "pitch", "dims");
        for (DType d : DType.values()) {
            assertThat(header).containsPattern("\\b" + d.name() + " = " + d.ordinal() + "\\b");
        }
    }

    @Test
    void partsLieWhereTheHeadersSay() throws IOException {
        assertThat(constant(Files.readString(HEADER), "MOST_CALLS")).isEqualTo(CallLayout.MOST_CALLS);
        assertThat(Files.readString(HEADER))
                .contains(
                        "enum PartWord { PART_COLUMNS = MAX_ATTRIBUTES - 5, PART_HEIGHT, PART_FIRST, PART_END, PART_KIND };")
                .contains("constexpr int PART_COUNTERS = MAX_TABLES - 1;");
        try (Arena arena = Arena.ofConfined()) {
            TensorType type = TensorType.of(DType.F32, 1);
            MemorySegment call = arena.allocate(CallLayout.BYTES, 8);
            Part part = new Part(0, new long[] {9}, 1, 2, 3, 4, 5);
            CallLayout.writePart(call, new KernelArguments(List.of(type), arena), List.of(8L), part, List.of(), 6);
            assertThat(word(call, CallLayout.WORKSPACE - 8)).isEqualTo(6);
            long last = CallLayout.TABLES - 8;
            assertThat(List.of(word(call, CallLayout.ATTRIBUTES), word(call, CallLayout.ATTRIBUTES + 8)))
                    .containsExactly(8L, 9L);
            assertThat(List.of(
                            word(call, last - 32),
                            word(call, last - 24),
                            word(call, last - 16),
                            word(call, last - 8),
                            word(call, last)))
                    .containsExactly(1L, 2L, 3L, 4L, 5L);
            Part wide = new Part(0, new long[12], 1, 2, 3, 4, 5);
            assertThatThrownBy(() -> CallLayout.writePart(
                            call, new KernelArguments(List.of(type), arena), List.of(), wide, List.of(), 0))
                    .hasMessageContainingAll("12 attribute words", "at most 11");
        }
    }

    @Test
    void wordsLieWhereTheHeaderSays() {
        try (Arena arena = Arena.ofConfined()) {
            TensorType type = TensorType.of(DType.BF16, 3, 5);
            KernelArguments arguments = new KernelArguments(List.of(type, type), arena);
            arguments.bind(0, 1000, 0);
            arguments.bind(1, 2000, 0);
            arguments.workspace(3000);
            MemorySegment call = arena.allocate(CallLayout.BYTES, 8);
            CallLayout.write(call, arguments, List.of(7L, 8L), new long[] {9}, List.of(40L, 50L));
            long operand = 8L * KernelArguments.WORDS;
            assertThat(word(call, 0)).isEqualTo(1000);
            assertThat(word(call, operand)).isEqualTo(2000);
            assertThat(word(call, operand + 8 * 2)).isEqualTo(DType.BF16.ordinal());
            assertThat(word(call, operand + 8 * 5)).as("pitch").isEqualTo(5);
            assertThat(word(call, operand + 8 * 6)).as("rows").isEqualTo(3);
            long attributes = operand * 13;
            assertThat(List.of(
                            word(call, attributes),
                            word(call, attributes + 8),
                            word(call, attributes + 16),
                            word(call, attributes + 24)))
                    .containsExactly(7L, 8L, 9L, 0L);
            long tables = attributes + 8 * 16;
            assertThat(List.of(word(call, tables), word(call, tables + 8))).containsExactly(40L, 50L);
            assertThat(word(call, tables + 8 * 4)).isEqualTo(3000);
            assertThat(call.byteSize()).isEqualTo(tables + 8 * 5);
        }
    }

    private static long word(MemorySegment call, long at) {
        return call.get(ValueLayout.JAVA_LONG, at);
    }

    @Test
    void whatDoesNotFitIsRefused() {
        try (Arena arena = Arena.ofConfined()) {
            TensorType type = TensorType.of(DType.F32, 1);
            MemorySegment call = arena.allocate(CallLayout.BYTES, 8);
            KernelArguments many = new KernelArguments(Collections.nCopies(14, type), arena);
            KernelArguments one = new KernelArguments(List.of(type), arena);
            assertThatThrownBy(() -> CallLayout.write(call, many, List.of(), new long[0], List.of()))
                    .isInstanceOf(UnsupportedOpException.class)
                    .hasMessageContainingAll("14 operands", "at most 13");
            assertThatThrownBy(() -> CallLayout.write(call, one, Collections.nCopies(10, 1L), new long[7], List.of()))
                    .hasMessageContainingAll("17 attribute words", "at most 16");
            assertThatThrownBy(() -> CallLayout.write(call, one, List.of(), new long[0], Collections.nCopies(5, 1L)))
                    .hasMessageContainingAll("5 tables", "at most 4");
        }
    }
}
