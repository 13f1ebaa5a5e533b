package dev.weft.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.plan.CacheFormat.Element;
import dev.weft.plan.Deployment.Routing;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * The decode points that the CANN recipes publish (cann-recipes-infer, guide to DeepSeek-V4 inference, "Benchmark"): 1.44 of 3
 * drafts and 0.7 of 1 are kept, attention is data-parallel, experts are over all devices, index keys are FP8.
 */
class PublishedPointsTest {
    /** A measurement. @param rate tokens per second and device, as published */
    private record Point(
            String model, String kind, int devices, int batch, int drafted, int context, double tpotMs, double rate) {
        Deployment deployment() {
            Architecture a = model.equals("pro") ? Architecture.pro() : Architecture.flash();
            Hardware h = HardwareCatalog.builtIn().find(kind);
            CostModel cost = CostModel.of(a, new CacheFormat(Element.FP8, Element.FP8));
            return new Deployment(
                    cost, h, h.published(), devices, new Workload(context, batch, context, drafted, kept()));
        }

        double kept() {
            return drafted == 3 ? 1.44 : 0.7;
        }

        double predictedMs(Efficiency efficiency, Routing routing) {
            Deployment d = deployment();
            return 1e3 * d.secondsPerToken(d.step(d.layouts().getFirst(), efficiency, routing));
        }

        /** Logarithm of the calibrated time over the published one. */
        double miss() {
            return Math.log(predictedMs(Efficiency.CALIBRATED, Routing.INDEPENDENT) / tpotMs);
        }
    }

    private static final List<Point> ON_950DT = List.of(
            new Point("flash", "950dt", 16, 16, 3, 8192, 6.71, 148.96),
            new Point("flash", "950dt", 16, 256, 3, 8192, 9.84, 1625.31),
            new Point("flash", "950dt", 16, 1536, 1, 8192, 20.33, 4722.22),
            new Point("flash", "950dt", 16, 16, 3, 131072, 6.89, 145.15),
            new Point("flash", "950dt", 16, 256, 3, 131072, 10.69, 1496.36),
            new Point("flash", "950dt", 16, 768, 1, 131072, 12.08, 3968.32),
            new Point("flash", "950dt", 16, 16, 3, 1048576, 8.22, 121.70),
            new Point("flash", "950dt", 16, 64, 3, 1048576, 9.57, 418.17),
            new Point("flash", "950dt", 16, 256, 3, 8192, 11.06, 1447.00), // FP8 instead of MXFP8 products
            new Point("flash", "950dt", 16, 1536, 1, 8192, 24.28, 3953.49), // as before
            new Point("pro", "950dt", 16, 16, 3, 8192, 17.64, 56.7),
            new Point("pro", "950dt", 16, 64, 3, 8192, 19.03, 210.16),
            new Point("pro", "950dt", 16, 128, 3, 8192, 20.61, 388.23),
            new Point("pro", "950dt", 16, 16, 3, 131072, 19.46, 51.38),
            new Point("pro", "950dt", 16, 64, 3, 131072, 21.23, 188.42));

    private static final List<Point> ON_A3 = List.of(
            new Point("flash", "a3", 64, 7168, 1, 8192, 27.82, 4025),
            new Point("flash", "a3", 64, 8192, 1, 8192, 29.17, 4388));

    private static List<Point> all() {
        List<Point> all = new ArrayList<>(ON_950DT);
        all.addAll(ON_A3);
        return all;
    }

    /** Published time and rate are one number, which shows that drafts are counted here as they are there. */
    @Test
    void ratesFollowFromTimes() {
        assertThat(all())
                .allSatisfy(p -> assertThat(p.rate() * p.tpotMs() / 1e3 * p.devices() / p.batch())
                        .isCloseTo(1, within(2e-3)));
    }

    @Test
    void nothingIsFasterThanTheRoofline() {
        assertThat(all()).allSatisfy(p -> {
            double strict = p.predictedMs(Efficiency.ROOFLINE, Routing.SAME);
            double roofline = p.predictedMs(Efficiency.ROOFLINE, Routing.INDEPENDENT);
            assertThat(strict).isLessThanOrEqualTo(roofline);
            assertThat(roofline).isLessThan(p.tpotMs());
        });
    }

    @Test
    void theCalibratedLineMissesByWhatItSays() {
        double squares = all().stream().mapToDouble(p -> p.miss() * p.miss()).sum();
        assertThat(Math.sqrt(squares / all().size())).isCloseTo(Efficiency.FIT_ERROR, within(0.005));
        assertThat(ON_A3).allSatisfy(p -> assertThat(Math.exp(p.miss()) - 1).isCloseTo(-0.35, within(0.015)));
        for (Point p : ON_950DT) {
            double percent = 100 * (Math.exp(p.miss()) - 1);
            if (p.batch() == 768) {
                assertThat(percent).isCloseTo(36, within(0.5));
            } else {
                assertThat(Math.abs(percent)).as(p.toString()).isLessThan(24);
            }
        }
    }

    @Test
    void theDeploymentsFit() {
        assertThat(all()).allSatisfy(p -> {
            Deployment d = p.deployment();
            assertThat(d.layouts().getFirst().fits()).isTrue();
            assertThat(d.best()).isPresent();
        });
    }
}
