package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sizes of pieces of device memory by product, as documented for aclrtMalloc. */
class SizeRuleTest {
    @ParameterizedTest
    @CsvSource({
        "Ascend950DT_9591, 1, 32, 64",
        "Ascend950PR_9589, 32, 32, 64",
        "Ascend950PR_9589, 33, 64, 64",
        "Ascend910_9382, 1, 64, 64",
        "Ascend910_9382, 32, 64, 64",
        "Ascend910B1, 33, 96, 128"
    })
    void sizes(String soc, long bytes, long size, long stride) {
        SizeRule rule = SizeRule.of(soc);
        assertThat(rule.sizeOf(bytes)).isEqualTo(size);
        assertThat(rule.strideOf(bytes)).isEqualTo(stride);
    }
}
