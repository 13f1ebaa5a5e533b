package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.DeviceId;
import dev.weft.TensorType;
import dev.weft.UnsupportedOpException;
import dev.weft.op.Add;
import dev.weft.op.AllReduce;
import dev.weft.op.OpInstance;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Support;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Before any weight loads a device says what it cannot run, and which of the possible reasons it is. */
class SupportTest {
    private static final TensorType ROWS = TensorType.of(DType.F32, 4, 32);
    private static final OpInstance ADD = OpInstance.of(new Add(), List.of(ROWS, ROWS));

    private Emulator emulator;

    @BeforeEach
    void start() {
        emulator = Emulator.start();
    }

    @AfterEach
    void stop() {
        if (emulator != null) {
            emulator.close();
        }
    }

    private Support ask(OpInstance op) {
        try (AscendBackend backend = emulator.open();
                BackendDevice device = backend.open(DeviceId.parse("ascend:0"))) {
            Support support = device.supports(op);
            if (!support.isSupported()) {
                assertThatThrownBy(() -> device.prepare(op))
                        .isInstanceOf(UnsupportedOpException.class)
                        .hasMessageContaining(((Support.Unsupported) support).reason());
            }
            return support;
        }
    }

    @Test
    void whatTheOperatorsAcceptIsSupported() {
        assertThat(ask(ADD)).isInstanceOf(Support.Native.class).asString().contains("add/");
    }

    @ParameterizedTest
    @CsvSource({
        "561003, refused by the device",
        "361001, refused by the device",
        "561112, refused by the device",
        "161002, bad shape",
        "561000, ACLNN_ERR_INNER"
    })
    void answersOfTheFirstPhaseAreToldApart(int code, String answer) {
        emulator.with("fail", "aclnnAddGetWorkspaceSize:1:" + code);
        assertThat(ask(ADD))
                .isInstanceOfSatisfying(
                        Support.Unsupported.class,
                        u -> assertThat(u.reason())
                                .contains(answer, "aclnnAdd(", "FLOAT[4, 32]", Integer.toString(code)));
    }

    @Test
    void aDocumentsReasonComesFirst() {
        OpInstance two = OpInstance.of(new AllReduce(2), List.of(ROWS));
        assertThat(ask(two))
                .isInstanceOfSatisfying(
                        Support.Unsupported.class, u -> assertThat(u.reason()).contains("ranks"));
    }
}
