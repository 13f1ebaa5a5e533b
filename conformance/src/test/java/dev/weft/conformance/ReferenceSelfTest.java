package dev.weft.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.DeviceLostException;
import dev.weft.TensorType;
import dev.weft.conformance.HostDevice.Fault;
import dev.weft.op.Op;
import dev.weft.op.RmsNorm;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The suite passes the reference itself, covers every operator, and catches what it says it catches. */
class ReferenceSelfTest {
    @TestFactory
    Stream<DynamicTest> theReferencePassesEveryCase() {
        HostDevice device = new HostDevice(Fault.NONE);
        return OpCases.all().stream()
                .map(c -> DynamicTest.dynamicTest(
                        c.toString(), () -> assertThat(OpRunner.run(device, c)).isEqualTo(new Outcome.Passed())));
    }

    @TestFactory
    Stream<DynamicTest> theReferenceDoesNotDependOnTheBatch() {
        HostDevice device = new HostDevice(Fault.NONE);
        return BatchInvariance.all().stream()
                .map(c -> DynamicTest.dynamicTest(
                        c.toString(),
                        () -> assertThat(BatchInvariance.run(device, c)).isEqualTo(new Outcome.Passed())));
    }

    @Test
    void everyOperatorHasCasesAndNoTwoAreTheSame() {
        Set<Class<?>> covered =
                OpCases.all().stream().map(c -> c.op().getClass()).collect(Collectors.toSet());
        assertThat(covered).isEqualTo(new HashSet<>(Arrays.asList(Op.class.getPermittedSubclasses())));
        List<String> names = OpCases.all().stream().map(OpCase::toString).toList();
        assertThat(names).doesNotHaveDuplicates().hasSizeLessThan(820);
    }

    @ParameterizedTest
    @CsvSource({
        "ONE_ELEMENT_ONE_PERCENT_OFF, limit",
        "WRITES_BEHIND_THE_RESULT, past its end",
        "NAN_BECOMES_ZERO, NaN and infinities must be where the reference has them",
        "MODIFIES_AN_INPUT, read only",
        "SECOND_RUN_DIFFERS, a second run gives other bits",
        "WRITES_BETWEEN_ROWS, gap between two rows",
        "READS_SCRATCH, a second run gives other bits"
    })
    void aPlantedFaultIsCaught(Fault fault, String message) {
        Operand x =
                Operand.of(TensorType.of(DType.F32, 7, 33), Data.uniform(1, 2).withNan());
        OpCase tight = OpCase.of(new RmsNorm(1e-6f), x, Operand.of(TensorType.of(DType.F32, 33), Data.constant(1)));
        OpCase c = fault == Fault.WRITES_BETWEEN_ROWS ? tight.withGaps(0) : tight;
        assertThat(OpRunner.run(new HostDevice(Fault.NONE), c)).isEqualTo(new Outcome.Passed());
        assertThat(OpRunner.run(new HostDevice(fault), c))
                .isInstanceOfSatisfying(
                        Outcome.Failed.class, f -> assertThat(f.message()).contains("rmsNorm(x=[7, 33] f32", message));
    }

    @Test
    void aLossDuringAnotherFailureIsThrownOn() {
        OpCase c = OpCase.of(new RmsNorm(1e-6f), Operand.random(DType.F32, 7, 33), Operand.random(DType.F32, 33));
        assertThatThrownBy(() -> OpRunner.run(new HostDevice(Fault.FAILS_AND_IS_LOST), c))
                .isInstanceOf(DeviceLostException.class)
                .hasMessage("lost");
    }

    @Test
    void aSeedGivesOtherContentsWhichItGivesAgain() {
        OpCase c = OpCase.of(new RmsNorm(1e-6f), Operand.random(DType.F32, 7, 33), Operand.random(DType.F32, 33));
        List<Long> found = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            for (long seed : new long[] {OpRunner.SUITE, 5, 6, 5}) {
                MemorySegment x = c.materialise(arena, seed).getFirst().data();
                assertThat(found.contains(hash(x))).as("seed %d", seed).isEqualTo(found.size() == 3);
                found.add(hash(x));
            }
        }
        assertThat(found.getLast()).isEqualTo(found.get(1));
    }

    private static long hash(MemorySegment bytes) {
        return Arrays.hashCode(bytes.toArray(ValueLayout.JAVA_BYTE));
    }

    @Test
    void aFailureNamesItsSeed() {
        OpCase c = OpCase.of(new RmsNorm(1e-6f), Operand.random(DType.F32, 7, 33), Operand.random(DType.F32, 33));
        HostDevice device = new HostDevice(Fault.ONE_ELEMENT_ONE_PERCENT_OFF);
        assertThat(OpRunner.run(device, c, 5))
                .isInstanceOfSatisfying(
                        Outcome.Failed.class, f -> assertThat(f.message()).startsWith("seed 5, rmsNorm(x=[7, 33] f32"));
        assertThat(OpRunner.run(device, c))
                .isInstanceOfSatisfying(
                        Outcome.Failed.class, f -> assertThat(f.message()).startsWith("rmsNorm(x=[7, 33] f32"));
    }
}
