package dev.weft.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sizes and offsets as a C compiler has them. */
class LayoutTest {
    /** The structures as the two interfaces define them: names, types and order are the interface. */
    private static final String STRUCTURES = """
            #include <stddef.h>
            #include <stdint.h>
            #include <stdio.h>
            struct ArrowSchema {
              const char *format, *name, *metadata;
              int64_t flags, n_children;
              struct ArrowSchema **children, *dictionary;
              void (*release)(struct ArrowSchema *);
              void *private_data;
            };
            struct ArrowArray {
              int64_t length, null_count, offset, n_buffers, n_children;
              const void **buffers;
              struct ArrowArray **children, *dictionary;
              void (*release)(struct ArrowArray *);
              void *private_data;
            };
            struct ArrowDeviceArray {
              struct ArrowArray array;
              int64_t device_id;
              int32_t device_type;
              void *sync_event;
              int64_t reserved[3];
            };
            typedef enum { kDLCPU = 1 } DLDeviceType;
            typedef struct { DLDeviceType device_type; int32_t device_id; } DLDevice;
            typedef struct { uint8_t code, bits; uint16_t lanes; } DLDataType;
            typedef struct {
              void *data;
              DLDevice device;
              int32_t ndim;
              DLDataType dtype;
              int64_t *shape, *strides;
              uint64_t byte_offset;
            } DLTensor;
            struct DLManagedTensor {
              DLTensor dl_tensor;
              void *manager_ctx;
              void (*deleter)(struct DLManagedTensor *);
            };
            struct DLManagedTensorVersioned {
              struct { uint32_t major, minor; } version;
              void *manager_ctx;
              void (*deleter)(struct DLManagedTensorVersioned *);
              uint64_t flags;
              DLTensor dl_tensor;
            };
            """;

    private record Struct(String name, CStruct ours, List<String> fields) {}

    private static final List<String> TENSOR = Stream.of(
                    "data",
                    "device.device_type",
                    "device.device_id",
                    "ndim",
                    "dtype.code",
                    "dtype.bits",
                    "dtype.lanes",
                    "shape",
                    "strides",
                    "byte_offset")
            .map(f -> "dl_tensor." + f)
            .toList();

    private static final List<Struct> ALL = List.of(
            new Struct(
                    "ArrowSchema",
                    CStruct.SCHEMA,
                    List.of(
                            "format",
                            "name",
                            "metadata",
                            "flags",
                            "n_children",
                            "children",
                            "dictionary",
                            "release",
                            "private_data")),
            new Struct(
                    "ArrowArray",
                    CStruct.ARRAY,
                    List.of(
                            "length",
                            "null_count",
                            "offset",
                            "n_buffers",
                            "n_children",
                            "buffers",
                            "children",
                            "dictionary",
                            "release",
                            "private_data")),
            new Struct(
                    "ArrowDeviceArray",
                    CStruct.DEVICE_ARRAY,
                    List.of("array", "array.release", "device_id", "device_type", "sync_event", "reserved")),
            new Struct("DLManagedTensor", CStruct.DL_MANAGED, with(List.of("manager_ctx", "deleter"))),
            new Struct(
                    "DLManagedTensorVersioned",
                    CStruct.DL_VERSIONED,
                    with(List.of("version.major", "version.minor", "manager_ctx", "deleter", "flags"))));

    private static List<String> with(List<String> own) {
        return Stream.concat(own.stream(), TENSOR.stream()).toList();
    }

    @TempDir
    private Path folder;

    @Test
    void theSizesThatTheSpecificationNames() {
        assertThat(ALL).extracting(s -> s.ours().size()).containsExactly(72L, 80L, 128L, 64L, 80L);
    }

    @Test
    void aCompilerPutsEveryFieldWhereWeDo() throws IOException, InterruptedException {
        StringBuilder source = new StringBuilder(STRUCTURES).append("int main(void) {\n");
        StringBuilder expected = new StringBuilder();
        for (Struct s : ALL) {
            source.append("printf(\"%s %zu\\n\", \"")
                    .append(s.name())
                    .append("\", sizeof(struct ")
                    .append(s.name())
                    .append("));\n");
            expected.append(s.name()).append(' ').append(s.ours().size()).append('\n');
            for (String field : s.fields()) {
                source.append("printf(\"%s %zu\\n\", \"")
                        .append(field)
                        .append("\", offsetof(struct ")
                        .append(s.name())
                        .append(", ")
                        .append(field)
                        .append("));\n");
                expected.append(field)
                        .append(' ')
                        .append(s.ours().offset(field))
                        .append('\n');
            }
        }
        Path c = Files.writeString(folder.resolve("layout.c"), source.append("return 0; }\n"));
        Path program = folder.resolve("layout");
        assumeTrue(run("gcc", "--version") != null, "gcc is not installed: layouts are not compared with a compiler's");
        assertThat(run("gcc", "-o", program.toString(), c.toString())).isEmpty();
        assertThat(run(program.toString())).isEqualTo(expected.toString());
    }

    /** What a command prints; null if there is no such command. */
    private static String run(String... command) throws IOException, InterruptedException {
        Process process;
        try {
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
        } catch (IOException e) {
            return null;
        }
        String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(printed).isZero();
        return printed;
    }
}
