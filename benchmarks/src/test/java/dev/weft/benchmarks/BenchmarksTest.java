package dev.weft.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.weft.BackendUnavailableException;
import dev.weft.benchmarks.own.GraphContender;
import dev.weft.benchmarks.work.AttentionWork;
import dev.weft.benchmarks.work.ExpertWork;
import dev.weft.benchmarks.work.Format;
import dev.weft.benchmarks.work.GemmWork;
import dev.weft.benchmarks.work.Work;
import dev.weft.runtime.Weft;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import picocli.CommandLine;

/** Every benchmark body runs once at a small size, and every work's own contender computes the exact result. */
class BenchmarksTest {
    private static void assertExact(Work made) {
        try (Work work = made;
                Weft weft = Bench.weft();
                GraphContender own = GraphContender.of(weft.best(), work)) {
            List<Limit> limits = DeviceLimit.of(weft.best(), work);
            Contest.Outcome outcome = new Contest(work, List.of(own), limits).run(3);
            limits.forEach(Limit::close);
            assertThat(outcome.own().error()).isGreaterThanOrEqualTo(0).isLessThan(own.tolerance());
            assertThat(outcome.own().seconds().p10()).isPositive();
            assertThat(outcome.limits()).hasSameSizeAs(limits);
            assertThat(outcome.limits())
                    .allSatisfy(l -> assertThat(l.seconds().p10()).isPositive());
        }
    }

    @ParameterizedTest
    @EnumSource(Format.class)
    void gemm(Format format) {
        assertExact(new GemmWork(format, 3, 256, 128, 2));
        GemmBenchmark b = new GemmBenchmark();
        b.format = format;
        b.k = 256;
        b.n = 128;
        b.copies = 2;
        b.open();
        b.run();
        b.close();
    }

    @Test
    void constraints() {
        ConstraintBenchmark b = new ConstraintBenchmark();
        b.texts = 2;
        b.open();
        int finished = 0;
        for (int i = 0; i < 1000; i++) {
            finished += b.tokenAndLogits() ? 1 : 0;
        }
        assertThat(finished).isBetween(5, 500);
    }

    @Test
    void experts() {
        assertExact(new ExpertWork(5, 256, 64, 8, 3));
        ExpertBenchmark b = new ExpertBenchmark();
        b.k = 256;
        b.n = 128;
        b.experts = 16;
        b.open();
        b.run();
        b.close();
    }

    @Test
    void attentionOverPickedAndAllEntries() {
        assertExact(new AttentionWork(3, 128 + 70, 4, 64, 2));
        assertExact(new AttentionWork(2, 128 + 1100, 2, 64, 1));
    }

    @Test
    void attentionBenchmark() {
        AttentionBenchmark b = new AttentionBenchmark();
        b.keys = 192;
        b.heads = 4;
        b.width = 64;
        b.copies = 2;
        b.open();
        b.run();
        b.close();
    }

    @Test
    void step() {
        StepBenchmark b = new StepBenchmark();
        b.open();
        b.run();
        assertThat(b.result()).containsExactly(1, 2, 3, 4);
        b.close();
    }

    @Test
    void overhead() {
        Overhead.Measured m;
        try {
            m = Overhead.measure(Path.of("../examples/demo-model"), 2, 201);
        } catch (BackendUnavailableException e) {
            assumeTrue(false, e.getMessage());
            return;
        }
        assertThat(m.layers()).isEqualTo(4);
        assertThat(m.step().rounds()).hasSize(4);
        assertThat(m.step().quantile(0)).isPositive();
        assertThat(m.microsecondsPerLayer(8e-6)).isEqualTo(2);
        assertThat(m.heapBytes()).isNotNegative();
    }

    @Test
    void overheadOfNothingIsRefused() {
        for (String[] line : new String[][] {{".", "--threads", "0"}, {".", "--steps", "50"}}) {
            StringWriter error = new StringWriter();
            CommandLine command = new CommandLine(new Overhead()).setErr(new PrintWriter(error, true));
            assertThat(command.execute(line)).isEqualTo(2);
            assertThat(error.toString()).contains(line[1] + ": found " + line[2] + ", expected");
        }
    }

    @Test
    void pack() {
        PackBenchmark b = new PackBenchmark();
        b.copies = 2;
        b.k = 256;
        b.n = 128;
        b.open();
        assertThat(b.load()).isGreaterThanOrEqualTo(2 * 256 * 128 / 2);
        b.close();
    }

    @Test
    void aWrongResultIsNoticed() {
        try (Work work = new GemmWork(Format.BF16, 2, 64, 64, 1);
                Work other = new GemmWork(Format.F32, 2, 64, 64, 1);
                Weft weft = Bench.weft();
                GraphContender own = GraphContender.of(weft.best(), other)) {
            own.run();
            assertThat(Contest.error(work, own)).isGreaterThan(0.1);
        }
    }

    @Test
    void quantiles() {
        Timings t = new Timings(new double[] {5, 1, 4, 2, 3, 6, 7, 8, 9, 10, 11});
        assertThat(t.p10()).isEqualTo(2);
        assertThat(t.median()).isEqualTo(6);
        assertThat(t.over(t).median()).isEqualTo(1);
    }
}
