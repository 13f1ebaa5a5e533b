package dev.weft.backend.ascend.abi;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HeaderTreeTest {
    @Test
    void aFileBehindTwoLinksIsReadOnce(@TempDir Path folder) throws IOException {
        Files.createDirectories(folder.resolve("real"));
        Files.writeString(folder.resolve("real/a.h"), "aclError aclInit(const char*);");
        Files.writeString(folder.resolve("real/a.txt"), "aclError aclInit(int);");
        Path link = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("real"));
        Path loop = Files.createSymbolicLink(folder.resolve("real/loop"), folder);
        assertThat(HeaderVerifier.read(List.of(folder.resolve("real"), link), AbiTable.load())
                        .headers())
                .isEqualTo(1);
        Files.delete(link);
        Files.delete(loop);
    }
}
