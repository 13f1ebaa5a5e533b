package dev.weft.backend.cuda.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** The kernel knows the parts by their ordinals. */
class RowPartTest {
    private static final Path KERNEL = Path.of("../native/cuda/kernels/rows_together.cu");

    @Test
    void theKernelCountsTheSameParts() throws IOException {
        String source = Files.readString(KERNEL);
        String list = source.substring(source.indexOf("enum Kind : i64 {") + 17);
        assertThat(list.substring(0, list.indexOf('}')).strip().split(",\\s*"))
                .containsExactly(
                        Arrays.stream(RowPart.values()).map(RowPart::name).toArray(String[]::new));
    }
}
