package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.backend.ascend.abi.AbiTable;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every function of the runtime and of the collectives that is bound is declared as the table has it. */
class AclTest {
    private static final Map<Class<?>, MemoryLayout> LAYOUTS = Map.of(
            int.class,
            ValueLayout.JAVA_INT,
            long.class,
            ValueLayout.JAVA_LONG,
            MemorySegment.class,
            ValueLayout.ADDRESS);

    static Method[] functions() {
        return Stream.of(Acl.class, Hccl.class)
                .flatMap(c -> Arrays.stream(c.getMethods()))
                .toArray(Method[]::new);
    }

    @ParameterizedTest
    @MethodSource("functions")
    void agreesWithTheTable(Method function) {
        MemoryLayout[] parameters =
                Arrays.stream(function.getParameterTypes()).map(LAYOUTS::get).toArray(MemoryLayout[]::new);
        FunctionDescriptor declared = FunctionDescriptor.of(LAYOUTS.get(function.getReturnType()), parameters);
        assertThat(declared)
                .isEqualTo(AbiTable.load().function(function.getName()).descriptor());
    }
}
