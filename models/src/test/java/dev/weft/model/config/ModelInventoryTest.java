package dev.weft.model.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CheckpointException;
import dev.weft.DType;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Published totals, specification 2.3. */
class ModelInventoryTest {
    @Test
    void flashHasThePublishedTotals() {
        List<StoredTensor> t = ModelInventory.of(ModelConfig.flash());
        assertThat(t).hasSize(69_187);
        assertThat(ModelInventory.bytes(t)).isEqualTo(159_609_485_896L);
        assertThat(counts(t)).isEqualTo(expected(433, 417, 375, 33_792, 34_167));
        assertMtp(t, 1_575, 3_593_787_756L);
    }

    @Test
    void proHasThePublishedTotals() {
        List<StoredTensor> t = ModelInventory.of(ModelConfig.pro());
        assertThat(t).hasSize(145_116);
        assertThat(ModelInventory.bytes(t)).isEqualTo(864_704_792_696L);
        assertThat(counts(t)).isEqualTo(expected(619, 590, 528, 71_424, 71_952));
        assertMtp(t, 2_343, 13_956_587_692L);
    }

    @Test
    void everyQuantisedMatrixIsFollowedByItsScale() {
        List<StoredTensor> t = ModelInventory.of(ModelConfig.flash());
        for (int i = 0; i < t.size(); i++) {
            if (t.get(i).role() == StoredTensor.Role.QUANTISED) {
                assertThat(t.get(i + 1).name()).isEqualTo(t.get(i).name().replaceAll("\\.weight$", ".scale"));
                assertThat(t.get(i + 1).dtype()).isEqualTo(DType.F8_E8M0);
            }
        }
        assertThat(t.stream().map(StoredTensor::name).distinct()).hasSize(t.size());
    }

    @Test
    void baseVariantHasFp8Experts() {
        ModelConfig base = ModelConfig.flash().with("expert_dtype", "fp8");
        StoredTensor w1 = ModelInventory.of(base).stream()
                .filter(t -> t.name().equals("layers.5.ffn.experts.7.w1.weight"))
                .findFirst()
                .orElseThrow();
        assertThat(w1.dtype()).isEqualTo(DType.F8_E4M3);
        assertThat(w1.shape()).containsExactly(2048, 4096);
    }

    @Test
    void dsparkDrafterIsNotGuessed() {
        ModelConfig c = ModelConfig.flash().with("dspark_block_size", 5);
        assertThatThrownBy(() -> ModelInventory.of(c))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("DSpark");
    }

    private static void assertMtp(List<StoredTensor> tensors, int count, long bytes) {
        List<StoredTensor> mtp =
                tensors.stream().filter(t -> t.name().startsWith("mtp.")).toList();
        assertThat(mtp).hasSize(count);
        assertThat(ModelInventory.bytes(mtp)).isEqualTo(bytes);
    }

    private static Map<DType, Integer> counts(List<StoredTensor> tensors) {
        return tensors.stream().collect(Collectors.groupingBy(StoredTensor::dtype, Collectors.summingInt(t -> 1)));
    }

    private static Map<DType, Integer> expected(int bf16, int f32, int e4m3, int i8, int e8m0) {
        return Map.of(
                DType.BF16, bf16, DType.F32, f32, DType.F8_E4M3, e4m3, DType.I8, i8, DType.F8_E8M0, e8m0, DType.I64, 3);
    }
}
