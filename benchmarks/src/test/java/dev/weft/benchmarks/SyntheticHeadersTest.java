package dev.weft.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.backend.ascend.abi.AbiFunction;
import dev.weft.backend.ascend.abi.AbiTable;
import dev.weft.backend.ascend.abi.HeaderVerifier;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SyntheticHeadersTest {
    @Test
    void allFunctionsAreFoundInALargeTree(@TempDir Path folder) throws IOException {
        SyntheticHeaders.write(folder);
        HeaderVerifier verifier = HeaderVerifier.read(List.of(folder), AbiTable.load());
        assertThat(verifier.headers()).isEqualTo(SyntheticHeaders.HEADERS);
        for (AbiFunction f : AbiTable.load().functions()) {
            Class<? extends HeaderVerifier.Verdict> expected =
                    f.isOperator() ? HeaderVerifier.Agrees.class : HeaderVerifier.Undeclared.class;
            if (!f.vendor()) {
                assertThat(verifier.verify(f)).as(f.key()).isInstanceOf(expected);
            }
        }
    }
}
