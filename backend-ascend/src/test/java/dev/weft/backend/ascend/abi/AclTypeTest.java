package dev.weft.backend.ascend.abi;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import org.junit.jupiter.api.Test;

class AclTypeTest {
    @Test
    void everyTypeOfWeftHasOneOfItsWidth() {
        for (DType type : DType.values()) {
            assertThat(AclType.of(type).bits()).as(type.name()).isEqualTo(type.bits());
        }
    }

    @Test
    void packedTypesRoundUpToBytes() {
        assertThat(AclType.FLOAT4_E2M1.bytes(3)).isEqualTo(2);
        assertThat(AclType.BF16.bytes(3)).isEqualTo(6);
        assertThat(AclType.BOOL.bytes(3)).isEqualTo(3);
    }

    @Test
    void valuesAreThoseOfTheHeader() {
        assertThat(AclType.FLOAT.value()).isZero();
        assertThat(AclType.BF16.value()).isEqualTo(27);
        assertThat(AclType.FLOAT8_E4M3FN.value()).isEqualTo(36);
        assertThat(AclType.FLOAT8_E8M0.value()).isEqualTo(37);
        assertThat(AclType.FLOAT4_E2M1.value()).isEqualTo(40);
        assertThat(AclFormat.ND.value()).isEqualTo(2);
        assertThat(AclFormat.FRACTAL_NZ.value()).isEqualTo(29);
    }
}
