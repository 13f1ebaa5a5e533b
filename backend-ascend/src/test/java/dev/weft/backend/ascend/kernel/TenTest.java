package dev.weft.backend.ascend.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.ShapeException;
import dev.weft.backend.ascend.abi.AclType;
import org.junit.jupiter.api.Test;

class TenTest {
    @Test
    void denseTensorsAreViewedUnderAnyExtents() {
        Ten t = Ten.dense(64, AclType.FLOAT, 6, 4).view(2, 3, 1, 4);
        assertThat(t.isDense()).isTrue();
        assertThat(t.strides()[0]).isEqualTo(12);
    }

    @Test
    void pitchedRowsMayBeSplitButNotMerged() {
        Ten t = Ten.pitched(64, AclType.BF16, 40, 3, 32);
        assertThat(t.view(3, 4, 8).strides()).containsExactly(40, 8, 1);
        assertThat(t.view(3, 1, 32).strides()).startsWith(40).endsWith(1);
        assertThat(t.storage()).containsExactly(2 * 40 + 32);
        assertThatThrownBy(() -> t.view(96)).isInstanceOf(ShapeException.class);
    }

    @Test
    void transposedAxesOfExtentOneCanBeDropped() {
        Ten t = Ten.dense(64, AclType.BF16, 5, 7, 3).transpose().slice(0, 2, 3).view(3, 7);
        assertThat(t.strides()).containsExactly(1, 3);
        assertThat(t.offset()).isEqualTo(42);
    }

    @Test
    void bytesMayBeReadAsAnotherType() {
        Ten t = Ten.dense(64, AclType.FLOAT, 3, 2).as(AclType.INT16);
        assertThat(t.dims()).containsExactly(3, 4);
        assertThat(t.slice(-1, 1, 4).step(-1, 2).dims()).containsExactly(3, 2);
        assertThat(Ten.dense(64, AclType.FLOAT4_E2M1, 3, 64).as(AclType.UINT8).dims()).containsExactly(3, 32);
        assertThatThrownBy(() -> Ten.dense(64, AclType.INT8, 3, 3).as(AclType.INT16)).isInstanceOf(ShapeException.class);
    }
}
