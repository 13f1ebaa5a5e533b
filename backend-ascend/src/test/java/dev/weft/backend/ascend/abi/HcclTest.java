package dev.weft.backend.ascend.abi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.DTypeException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class HcclTest {
    @Test
    void theConfigurationIsVersionFive() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment struct = new HcclCommConfig(256, 1, "experts", 2).write(arena);
            ByteBuffer bytes = struct.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
            assertThat(bytes.remaining()).isEqualTo(300);
            assertThat(bytes.getLong(0)).as("size").isEqualTo(300);
            assertThat(bytes.getInt(8)).as("magic").isEqualTo(0xF0F0F0F0);
            assertThat(bytes.getInt(12)).as("version").isEqualTo(5);
            assertThat(bytes.getLong(16)).as("reserved").isZero();
            assertThat(bytes.getInt(24)).as("buffer size").isEqualTo(256);
            assertThat(bytes.getInt(28)).as("deterministic").isEqualTo(1);
            assertThat(struct.getString(32)).as("name").isEqualTo("experts");
            assertThat(struct.getString(160)).as("device information").isEmpty();
            assertThat(bytes.getInt(288)).as("expansion").isEqualTo(2);
            assertThat(bytes.getInt(292)).as("traffic class").isEqualTo(-1);
            assertThat(bytes.getInt(296)).as("service level").isEqualTo(-1);
        }
    }

    @Test
    void defaultsLeaveEverythingToTheLibrary() {
        try (Arena arena = Arena.ofConfined()) {
            ByteBuffer bytes =
                    HcclCommConfig.defaults().write(arena).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
            assertThat(bytes.getInt(24)).isEqualTo(HcclCommConfig.UNSET);
            assertThat(bytes.getInt(28)).isEqualTo(HcclCommConfig.UNSET);
            assertThat(bytes.getInt(288)).isZero();
        }
    }

    @Test
    void namesFitTheirField() {
        assertThat(new HcclCommConfig(1, 0, "n".repeat(127), 0).name()).hasSize(127);
        assertThatThrownBy(() -> new HcclCommConfig(1, 0, "n".repeat(128), 0)).hasMessageContaining("127");
        assertThatThrownBy(() -> new HcclCommConfig(1, 0, "a\0b", 0)).hasMessageContaining("zero");
    }

    @Test
    void everyWholeByteTypeCanBeMoved() {
        for (DType type : DType.values()) {
            if (type.bits() % 8 == 0) {
                assertThat(HcclType.of(type).value()).isBetween(0, 17);
            }
        }
        assertThatThrownBy(() -> HcclType.of(DType.F4_E2M1)).isInstanceOf(DTypeException.class);
        assertThat(HcclType.BFP16.reducible()).isTrue();
        assertThat(HcclType.FP8E4M3.reducible()).isFalse();
    }

    @Test
    void codesAreDescribed() {
        assertThat(HcclResult.describe(9)).contains("HCCL_E_TIMEOUT (9)", "HCCL_CONNECT_TIMEOUT");
        assertThat(HcclResult.describe(22)).contains("SUSPENDING");
        assertThat(HcclResult.describe(99)).contains("unknown", "99");
        assertThat(HcclResult.describe(-1)).contains("unknown");
    }
}
