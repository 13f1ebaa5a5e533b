package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.backend.ascend.AclErrors.Kind;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Codes are told apart by what can be done next. */
class AclErrorsTest {
    @ParameterizedTest
    @CsvSource({
        "507015, LOST",
        "507018, LOST",
        "507035, LOST",
        "507014, LOST",
        "507899, LOST",
        "507999, LOST",
        "507046, CALL",
        "207001, MEMORY",
        "207018, MEMORY",
        "361001, REFUSED",
        "561003, REFUSED",
        "561112, REFUSED",
        "161002, SHAPE",
        "107002, CALL",
        "4711, CALL"
    })
    void kinds(int code, Kind kind) {
        assertThat(AclErrors.kind(code)).isEqualTo(kind);
    }

    @ParameterizedTest
    @CsvSource({"507015, ACL_ERROR_RT_AICORE_EXCEPTION", "161002, ACLNN_ERR_PARAM_INVALID", "4711, unknown code"})
    void names(int code, String name) {
        assertThat(AclErrors.name(code)).isEqualTo(name);
    }
}
