package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.conformance.Outcome;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class VerifyTest {
    @Test
    void oneOperatorPasses() {
        Run run = Run.of("verify", "--device", "cpu:0", "--ops", "rmsnorm");
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        assertThat(run.out())
                .containsPattern("rmsNorm +[1-9][0-9]* passed +0 failed")
                .containsPattern("rows alone +[1-9][0-9]* passed +0 failed")
                .doesNotContain("gemm");
    }

    @Test
    void everyCaseIsNamedBeforeItRuns() {
        Run run = Run.of("verify", "--device", "cpu:0/scalar", "--ops", "hadamard", "--json", "--verbose");
        assertThat(run.err().lines()).hasSize(passed(run.json())).allMatch(line -> line.contains("hadamard"));
    }

    @Test
    void jsonHasTheCounts() {
        JsonNode root = Run.of("verify", "--device", "cpu:0/scalar", "--ops", "Hadamard", "--json")
                .json();
        assertThat(root.path("passed").asBoolean()).isTrue();
        assertThat(root.path("operators").path(0).path("operator").asString()).isEqualTo("hadamard");
        assertThat(root.path("operators").path(0).path("passed").asInt()).isPositive();
        assertThat(root.path("rowsAlone").path("passed").asInt()).isZero();
    }

    @Test
    void rowsAloneAreThoseOfTheOperatorsAsked() {
        Run run = Run.of("verify", "--device", "cpu:0/scalar", "--ops", "moegate", "--json", "--verbose");
        JsonNode root = run.json();
        assertThat(root.path("rowsAlone").path("passed").asInt()).isEqualTo(1);
        assertThat(run.err().lines())
                .hasSize(passed(root) + 1)
                .last()
                .asString()
                .startsWith("rows alone and together: moeGate");
    }

    @Test
    void freshOperandsAreRepeatedByTheirSeed() {
        String[] suite = {"verify", "--device", "cpu:0/scalar", "--ops", "hadamard", "--json"};
        JsonNode once = Run.of(suite).json();
        assertThat(once.path("rounds").asInt()).isZero();
        assertThat(once.has("seed")).isFalse();
        JsonNode twice = Run.of("verify", "--device", "cpu:0/scalar", "--ops", "hadamard", "--seed", "77", "--json")
                .json();
        assertThat(twice.path("seed").asLong()).isEqualTo(77);
        assertThat(passed(twice)).isEqualTo(2 * passed(once));
        Run drawn = Run.of("verify", "--device", "cpu:0/scalar", "--ops", "hadamard", "--rounds", "2");
        assertThat(drawn.out()).containsPattern("fresh operands: 2 rounds, seeds [1-9][0-9]* to [1-9]");
        assertThat(drawn.out()).contains(3 * passed(once) + " cases passed");
    }

    private static int passed(JsonNode report) {
        return report.path("operators").path(0).path("passed").asInt();
    }

    @Test
    void seedsAndRoundsThatAreNoneAreRefused() {
        assertThat(Run.of("verify", "--seed", "0").err()).contains("--seed", "found 0", "1 or more");
        assertThat(Run.of("verify", "--seed", "5", "--rounds", "0").err()).contains("--seed", "found --rounds 0");
        Run run = Run.of("verify", "--rounds", "-1");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("--rounds", "found -1");
    }

    @Test
    void anUnknownOperatorIsAUsageError() {
        Run run = Run.of("verify", "--ops", "conv2d");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("'conv2d'").contains("gemm");
    }

    @Test
    void failuresAndReasonsAreShown() {
        VerifyTally tally = new VerifyTally("Gemm");
        tally.add(new Outcome.Passed());
        tally.add(new Outcome.Failed("Gemm(m=2): off by 3"));
        tally.add(new Outcome.Unsupported("no FP4 units"));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        tally.print(new Terminal(new PrintStream(bytes), new PrintStream(bytes), false));
        assertThat(bytes.toString())
                .contains("1 passed    1 failed    1 unsupported (no FP4 units)")
                .contains("Gemm(m=2): off by 3");
    }
}
