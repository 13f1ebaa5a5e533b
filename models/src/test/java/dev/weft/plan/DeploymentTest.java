package dev.weft.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.weft.RequestException;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import dev.weft.plan.Deployment.Routing;
import java.util.List;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The sample rows of the cost model's section 6, to the digit shown, and what its formulas say beyond them. */
class DeploymentTest {
    private static final HardwareCatalog KINDS = HardwareCatalog.builtIn();

    private static Deployment deployment(String model, int devices, String kind, long batch, long context) {
        Architecture a = model.equals("pro") ? Architecture.pro() : Architecture.flash();
        Hardware h = KINDS.find(kind);
        return new Deployment(
                CostModel.of(a), h, h.published(), devices, new Workload(context, batch, context, 1, 0.7));
    }

    @ParameterizedTest
    @CsvSource({
        "flash, 16, 950DT, 16, 8192, 16.5, DP16 EP16, 1.72, 10.99, 581, 91, 0.02, 0.04",
        "flash, 16, 950DT, 256, 131072, 24.0, DP16 EP16, 2.57, 12.26, 6235, 1305, 0.29, 0.84",
        "flash, 8, 950PR, 128, 131072, 33.6, DP8 EP8, 9.72, 23.27, 1647, 688, 0.59, 1.69",
        "flash, 2, H200, 2, 8192, 83.3, DP2 EP2, 1.71, 10.97, 585, 91, 0.06, 0.18",
        "flash, 4, B200, 64, 131072, 52.7, DP4 EP4, 3.34, 13.46, 4787, 1189, 0.26, 0.75",
        "flash, 2, GB10, 2, 8192, 83.3, DP2 EP2, 30.05, 54.54, 33, 18, 0.50, 1.43",
        "pro, 16, 950DT, 16, 8192, 78.0, DP16 EP16, 6.69, 22.13, 149, 45, 0.06, 0.17",
        "pro, 16, 950DT, 256, 131072, 88.8, DP16 EP16, 11.64, 29.67, 1375, 539, 1.07, 3.05",
        "pro, 16, 950PR, 16, 1048576, 83.2, DP16 EP16, 16.97, 37.94, 59, 26, 14.22, 40.62",
        "pro, 8, H200, 8, 8192, 117.8, DP4 x TP2 EP8, 4.39, 18.58, 228, 54, 0.06, 0.17",
        "pro, 8, B200, 128, 131072, 141.3, DP8 EP8, 9.91, 27.01, 1614, 592, 0.47, 1.35",
    })
    void sampleRows(
            String model,
            int devices,
            String kind,
            long batch,
            long context,
            String held,
            String layout,
            String tpot,
            String calibratedTpot,
            String rate,
            String calibratedRate,
            String ttft,
            String calibratedTtft) {
        Deployment d = deployment(model, devices, kind, batch, context);
        Layout best = find(d, layout);
        assertThat(best.fits()).isTrue();
        Shown.equal(held, best.heldBytes() / 1e9, "held GB");
        StepTime roofline = d.step(best, Efficiency.ROOFLINE, Routing.INDEPENDENT);
        Shown.equal(tpot, d.secondsPerToken(roofline) * 1e3, "TPOT ms");
        Shown.equal(rate, d.tokensPerSecondAndDevice(roofline), "tokens/s per device");
        Shown.equal(ttft, d.firstTokenSeconds(Efficiency.ROOFLINE), "TTFT s");
        StepTime calibrated = d.step(best, Efficiency.CALIBRATED, Routing.INDEPENDENT);
        Shown.equal(calibratedTpot, d.secondsPerToken(calibrated) * 1e3, "calibrated TPOT ms");
        Shown.equal(calibratedRate, d.tokensPerSecondAndDevice(calibrated), "calibrated tokens/s per device");
        Shown.equal(calibratedTtft, d.firstTokenSeconds(Efficiency.CALIBRATED), "calibrated TTFT s");
    }

    /** The page's layout, which deals embedding and head with the experts. */
    private static Layout find(Deployment d, String name) {
        return d.layouts().stream()
                .filter(l -> l.name().equals(name) && l.head() > 1 && l.output() == 1)
                .findFirst()
                .orElseThrow();
    }

    /** In all rows but one the page's layout is the one that Weft runs and takes. */
    @ParameterizedTest
    @CsvSource({
        "flash, 16, 950DT, 16, 8192",
        "flash, 16, 950DT, 256, 131072",
        "flash, 8, 950PR, 128, 131072",
        "flash, 2, H200, 2, 8192",
        "flash, 4, B200, 64, 131072",
        "flash, 2, GB10, 2, 8192",
        "pro, 16, 950DT, 16, 8192",
        "pro, 16, 950DT, 256, 131072",
        "pro, 16, 950PR, 16, 1048576",
        "pro, 8, B200, 128, 131072",
    })
    void thePagesLayoutIsChosen(String model, int devices, String kind, long batch, long context) {
        Deployment d = deployment(model, devices, kind, batch, context);
        RankedLayout first = d.ranking().getFirst();
        assertThat(first.chosen()).isTrue();
        assertThat(first.layout()).isEqualTo(find(d, "DP" + devices + " EP" + devices));
        assertThat(first.layout().parallelPlan())
                .contains(ParallelPlan.experts(devices).withHead());
        assertThat(d.ranking().stream().filter(RankedLayout::chosen)).hasSize(1);
    }

    /** Where the page needs tensor parallelism, Weft spreads the output projections instead. */
    @Test
    void whereThePageNeedsTensorParallelAttention() {
        Deployment d = deployment("pro", 8, "H200", 8, 8192);
        RankedLayout first = d.ranking().getFirst();
        assertThat(first.layout().name()).isEqualTo("DP8 EP8");
        assertThat(first.layout().spread()).containsExactly("head", "output");
        assertThat(first.verdict()).isEqualTo("chosen");
        RankedLayout page = d.ranking().stream()
                .filter(r -> r.layout().equals(find(d, "DP4 x TP2 EP8")))
                .findFirst()
                .orElseThrow();
        assertThat(page.verdict()).isEqualTo("planned only: Weft does not run tensor-parallel attention");
        assertThat(page.layout().parallelPlan()).isEmpty();
        RankedLayout whole = d.ranking().stream()
                .filter(r -> r.layout().equals(find(d, "DP8 EP8")))
                .findFirst()
                .orElseThrow();
        assertThat(whole.verdict()).isEqualTo("no: needs 130.5 GB of 126.9 GB usable");
    }

    /** With the output projections spread a device reads less and sends more; both are what they must be. */
    @ParameterizedTest
    @CsvSource({"8, 8", "16, 8", "16, 2"})
    void spreadOutputProjectionsAreReadInPart(int devices, int block) {
        Deployment d = deployment("pro", devices, "950dt", devices, 8192);
        Layout plain = find(d, "DP" + devices + " EP" + devices);
        Layout spread = d.layouts().stream()
                .filter(l -> l.head() == devices && l.output() == block)
                .findFirst()
                .orElseThrow();
        assertThat(spread.parallelPlan())
                .contains(ParallelPlan.experts(devices).withHead().withOutput(block));
        assertThat(spread.fits()).isTrue();
        StepTime a = d.step(plain, Efficiency.ROOFLINE, Routing.INDEPENDENT);
        StepTime b = d.step(spread, Efficiency.ROOFLINE, Routing.INDEPENDENT);
        double bytes = 61 * (65536.0 * 1024 + 16384.0 * 7168) * (1 + 1 / 16384.0);
        double others = (block - 1.0) / block;
        assertThat(a.memory() - b.memory()).isCloseTo(bytes * others / 4e12, within(1e-9));
        assertThat(plain.heldBytes() - spread.heldBytes())
                .isCloseTo(bytes * 62 / 61 * others, within(1e3)); // the MTP block has them too
        // two rows: heads, groups' results and the product back, BF16; groups' results to the others, FP8
        double sent = 2 * 61 * (2 * (65536 + 16384 + 7168) * others + (block - 1) * 16384 * (1 + 1 / 32.0));
        assertThat(b.exchange() - a.exchange()).isCloseTo(sent / 1e12, within(1e-9));
    }

    /** With more devices than output groups the largest blocks that fit are taken, and all devices refused. */
    @Test
    void outputProjectionsOverBlocksOfDevices() {
        List<RankedLayout> ranking = deployment("flash", 16, "gb10", 1, 8192).ranking();
        assertThat(ranking.getFirst().layout().spread()).containsExactly("head", "output=8");
        assertThat(ranking.stream()
                        .filter(r -> r.layout().spread().equals(List.of("head", "output")))
                        .map(RankedLayout::verdict))
                .containsExactly("no: o_groups 8 is no multiple of the ranks");
        assertThat(deployment("pro", 16, "950dt", 16, 8192).ranking())
                .filteredOn(r -> r.layout().fits() && r.layout().plannedOnly() == null)
                .extracting(r -> String.join(",", r.layout().spread()))
                .containsExactlyInAnyOrder("head", "", "head,output=8", "head,output=4", "head,output=2", "output=8");
    }

    /** Less is within the error of the fit, and then the simpler layout is taken. */
    @Test
    void aLayoutMustBeSurelyFasterToBeChosenOverASimplerOne() {
        List<RankedLayout> one = deployment("flash", 8, "gb10", 1, 8192).ranking();
        assertThat(one.getFirst().layout().spread()).containsExactly("head", "output");
        assertThat(one).extracting(RankedLayout::verdict).anyMatch(v -> v.matches("takes [23]\\d % longer"));
        List<RankedLayout> eight = deployment("flash", 8, "gb10", 8, 8192).ranking();
        assertThat(eight.getFirst().layout().spread()).containsExactly("head");
        assertThat(eight.get(1).layout().spread()).containsExactly("head", "output");
        assertThat(eight.get(1).verdict())
                .isEqualTo("16 % less time, within the error of the fit: the simpler one is chosen");
    }

    @Test
    void theRowThatDoesNotFit() {
        Deployment d = deployment("pro", 8, "H200", 8, 1 << 20);
        assertThat(d.best()).isEmpty();
        Layout last = d.layouts().getLast();
        assertThat(last.tensorParallel()).isEqualTo(8);
        Shown.equal("150.5", last.heldBytes() / 1e9, "held GB");
        assertThat(last.obstacle()).isEqualTo("needs 150.5 GB of 126.9 GB usable");
        Shown.equal("16.50", d.firstTokenSeconds(Efficiency.ROOFLINE), "TTFT s");
        Shown.equal("47.15", d.firstTokenSeconds(Efficiency.CALIBRATED), "calibrated TTFT s");
    }

    /** As public recipes have it. */
    @ParameterizedTest
    @CsvSource({
        "pro, 16, h200, 1048576, true",
        "pro, 8, b200, 1048576, true",
        "pro, 8, h200, 131072, true",
        "pro, 8, h200, 1048576, false",
        "flash, 4, h200, 1048576, true",
        "flash, 4, b200, 1048576, true",
    })
    void whatFits(String model, int devices, String kind, long context, boolean fits) {
        assertThat(deployment(model, devices, kind, devices, context).best().isPresent())
                .isEqualTo(fits);
    }

    /** Pro on 8 x H200 needs a context cap, on 16 none: here are the caps, with as many sequences as devices. */
    @Test
    void theContextCapOfProOnEightH200() {
        assertThat(cap(8, l -> l.fits() && l.output() == 1)).isEqualTo(916_352);
        assertThat(cap(8, l -> l.fits() && l.plannedOnly() == null)).isEqualTo(661_888);
        assertThat(cap(16, l -> l.fits() && l.plannedOnly() == null)).isGreaterThan(1 << 20);
    }

    /** The longest context, in whole pages, at which a layout of Pro on H200 can be used. */
    private static long cap(int devices, Predicate<Layout> usable) {
        CostModel cost = CostModel.of(Architecture.pro());
        Hardware h = KINDS.find("h200");
        long fits = 128;
        long beyond = 1 << 22;
        while (beyond - fits > 128) {
            long middle = (fits + beyond) / 256 * 128;
            Workload work = new Workload(middle, devices, middle, 1, 0.7);
            Deployment d = new Deployment(cost, h, h.published(), devices, work);
            if (d.layouts().stream().anyMatch(usable)) {
                fits = middle;
            } else {
                beyond = middle;
            }
        }
        return fits;
    }

    /** Smallest deployments that the CANN recipes name (cann.md 8): they must fit. */
    @ParameterizedTest
    @CsvSource({"flash, 4, 950dt", "flash, 4, 950pr", "pro, 16, 950dt", "pro, 16, 950pr", "flash, 4, a3", "pro, 32, a3"
    })
    void theSmallestDeploymentsOfTheRecipesFit(String model, int devices, String kind) {
        assertThat(deployment(model, devices, kind, devices, 131072).best()).isPresent();
    }

    @ParameterizedTest
    @CsvSource({
        "950dt, 144, 4.0, 1.0, 0.5, 2.0, 1000",
        "950pr, 128, 1.6, 1.0, 0.5, 2.0, 1000",
        "a3, 128, 3.2, 1.504, 0.752, , 392",
        "h200, 141, 4.8, 1.979, 0.989, , 450",
        "b200, 180, 7.7, 4.5, 2.25, 9.0, 900",
        "gb200, 186, 8.0, 5.0, 2.5, 10.0, 900",
        "gb10, 128, 0.273, 0.25, 0.125, 0.5, 25",
    })
    void publishedPeaks(String kind, double gb, double tb, double fp8, double bf16, Double fp4, double link) {
        Hardware h = KINDS.find(kind);
        assertThat(h.memoryBytes()).isCloseTo(gb * 1e9, within(1.0));
        assertThat(h.published().memory()).isCloseTo(tb * 1e12, within(1.0));
        assertThat(h.published().fp8()).isCloseTo(fp8 * 1e15, within(1e3));
        assertThat(h.published().bf16()).isCloseTo(bf16 * 1e15, within(1e3));
        // without a unit for it FP4 work runs on the FP8 unit
        assertThat(h.published().rate(Arithmetic.FP4)).isCloseTo((fp4 == null ? fp8 : fp4) * 1e15, within(1e3));
        assertThat(h.published().link()).isCloseTo(link * 1e9, within(1.0));
    }

    /** 64 x 4 TB/s read the same weights and experts as 16 x 4 TB/s, a quarter of the experts each. */
    @Test
    void routingBoundsTheExpertsTouched() {
        Deployment one = deployment("pro", 64, "950dt", 1, 131072);
        assertThat(one.touchedExperts(Routing.SAME)).isEqualTo(6);
        // two rows, each draws 6 of 384
        assertThat(one.touchedExperts(Routing.INDEPENDENT))
                .isCloseTo(384 * (1 - Math.pow(1 - 6 / 384.0, 2)), within(1e-9));
        Deployment many = deployment("pro", 64, "950dt", 1 << 20, 131072);
        assertThat(many.touchedExperts(Routing.INDEPENDENT)).isCloseTo(384, within(1e-6));
        Layout layout = one.layouts().getFirst();
        assertThat(one.step(layout, Efficiency.ROOFLINE, Routing.SAME).seconds())
                .isLessThan(one.step(layout, Efficiency.ROOFLINE, Routing.INDEPENDENT)
                        .seconds());
    }

    /** A sequence lies in one group whole: 17 over 16 groups put two into one of them. */
    @Test
    void theFullestDeviceCounts() {
        Layout sixteen = deployment("flash", 16, "950dt", 16, 131072).layouts().getFirst();
        Layout seventeen =
                deployment("flash", 16, "950dt", 17, 131072).layouts().getFirst();
        Layout one = deployment("flash", 16, "950dt", 1, 131072).layouts().getFirst();
        assertThat(seventeen.cacheBytes()).isEqualTo(2 * sixteen.cacheBytes());
        assertThat(one.cacheBytes()).isEqualTo(sixteen.cacheBytes());
        // 256 experts over 48 devices: six on the fullest
        double experts = Architecture.flash().bytes(g -> g.kind() == ParameterGroup.Kind.ROUTED_EXPERTS);
        double evenly =
                deployment("flash", 64, "950dt", 64, 8192).layouts().getFirst().dealtBytes();
        double unevenly =
                deployment("flash", 48, "950dt", 48, 8192).layouts().getFirst().dealtBytes();
        double embeddingAndHead = 2.0 * 129280 * 4096 * 2;
        double tables = 3.0 * 129280 * 6 * 8;
        assertThat(evenly).isCloseTo(experts * 4 / 256 + (embeddingAndHead + tables) / 64, within(1.0));
        // 48 does not divide the vocabulary, 16 does
        assertThat(unevenly).isCloseTo(experts * 6 / 256 + embeddingAndHead / 16 + tables / 48, within(1.0));
    }

    @Test
    void groupsThatCutALayerBetweenItsPartsAreNamed() {
        List<Layout> layouts = deployment("flash", 48, "950dt", 48, 8192).layouts();
        assertThat(layouts)
                .extracting(Layout::tensorParallel)
                .containsExactly(1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 6, 8, 12, 16, 24, 48);
        List<Layout> sixty = deployment("pro", 96, "950dt", 96, 8192).layouts();
        assertThat(sixty.get(8).obstacle()).isEqualTo("16 output groups cannot be dealt to 3 devices");
        assertThat(deployment("flash", 512, "950dt", 512, 8192).best()).isEmpty();
        assertThat(deployment("flash", 512, "950dt", 512, 8192)
                        .layouts()
                        .getFirst()
                        .obstacle())
                .startsWith("n_routed_experts 256 is no multiple of the ranks");
    }

    /** In the words with which a load is refused. */
    @Test
    void whatTheLoaderRefusesIsNoLayout() {
        Deployment d = deployment("flash", 48, "950dt", 48, 8192);
        assertThat(d.best()).isEmpty();
        ParallelPlan all = ParallelPlan.experts(48).withHead().withOutput();
        String refusal = String.join("; ", all.obstacles(ModelConfig.flash()));
        assertThat(refusal)
                .startsWith("n_routed_experts 256 is no multiple of the ranks; vocab_size 129280 is no multiple of the"
                        + " ranks")
                .contains("o_groups 8 is no multiple of the ranks");
        assertThat(d.ranking())
                .anySatisfy(r -> assertThat(r.verdict()).isEqualTo("no: " + refusal))
                .noneSatisfy(r -> assertThat(r.chosen()).isTrue());
        assertThatThrownBy(() -> all.check(ModelConfig.flash())).hasMessageContaining(refusal);
    }

    @Test
    void v32IsPlannedOnly() {
        Hardware h = KINDS.find("h200");
        Deployment d = new Deployment(
                CostModel.of(Architecture.v32()), h, h.published(), 8, new Workload(8192, 8, 8192, 1, 0.7));
        assertThat(d.ranking().getFirst().verdict())
                .isEqualTo("chosen, but planned only: Weft does not run DeepSeek-V3.2");
        assertThat(d.layouts()).extracting(Layout::rankBytes).containsOnlyNulls();
    }

    @Test
    void exchangeHidesBehindProductsUpToTwiceTheInnerWidth() {
        assertThat(deployment("pro", 16, "950dt", 16, 8192).hiddenExchangeLimit())
                .isEqualTo(6144);
        Deployment flash = deployment("flash", 16, "950dt", 16, 8192);
        assertThat(flash.hiddenExchangeLimit()).isEqualTo(4096);
        assertThat(flash.flopsPerSentByte()).isCloseTo(1000, within(1e-6)); // 1 PF over 1 TB/s
    }

    @Test
    void draftsThatAreKeptOneAfterTheOther() {
        assertThat(Workload.accepted(0, 0.7)).isZero();
        assertThat(Workload.accepted(1, 0.7)).isEqualTo(0.7);
        assertThat(Workload.accepted(3, 0.5)).isEqualTo(0.5 + 0.25 + 0.125);
        assertThat(Workload.accepted(4, 1)).isEqualTo(4);
    }

    @Test
    void aPromptOfOneTokenCostsThatToken() {
        Hardware h = KINDS.find("950dt");
        CostModel cost = CostModel.of(Architecture.flash());
        Deployment d = new Deployment(cost, h, h.published(), 1, new Workload(1, 1, 1, 0, 0));
        TokenFlops f = cost.flops(1);
        assertThat(d.firstTokenSeconds(Efficiency.ROOFLINE))
                .isCloseTo(f.fp8() / 1e15 + (f.bf16() + f.core()) / 0.5e15, within(1e-12));
    }

    /** The stretches are short enough. */
    @ParameterizedTest
    @CsvSource({"pro, 1", "flash, 63", "pro, 100", "flash, 4097", "pro, 131072"})
    void aPromptCostsTheSumOverItsPositions(String model, long prompt) {
        Deployment d = deployment(model, 4, "h200", 4, prompt);
        CostModel cost = CostModel.of(model.equals("pro") ? Architecture.pro() : Architecture.flash());
        double sum = 0;
        for (long position = 1; position <= prompt; position++) {
            TokenFlops f = cost.flops(position);
            sum += (f.fp8() + f.indexer()) / 1.979e15 + (f.bf16() + f.core()) / 0.989e15; // no FP4 unit
        }
        assertThat(d.firstTokenSeconds(Efficiency.ROOFLINE)).isCloseTo(sum / 4, withinPercentage(0.05));
    }

    @ParameterizedTest
    @CsvSource({
        "0, 1, 1, 1, 0.7, context: found 0",
        "1, 0, 1, 1, 0.7, batch: found 0",
        "1, 1, 0, 1, 0.7, prompt: found 0",
        "1, 1, 1, -1, 0, drafted tokens: found -1",
        "1, 1, 1, 1, 1.5, 'accepted drafts: found 1.5, expected 0 to 1'",
        "1, 1, 1, 1, NaN, accepted drafts: found NaN",
    })
    void workloadsOutOfRangeAreRefused(
            long context, long batch, long prompt, int drafted, double accepted, String message) {
        assertThatThrownBy(() -> new Workload(context, batch, prompt, drafted, accepted))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining(message);
    }

    @ParameterizedTest
    @CsvSource({"0", "-3", "1048577"})
    void devicesOutOfRangeAreRefused(int devices) {
        assertThatThrownBy(() -> deployment("flash", devices, "950dt", 1, 1))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("devices: found " + devices);
    }
}
