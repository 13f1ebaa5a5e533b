package dev.weft.backend.ascend;

import dev.weft.conformance.model.GoldenModel;
import dev.weft.conformance.model.ModelConformance;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;

/**
 * The demo model on the emulated 950DT against what independent implementations computed from it; where it is not at hand,
 * the smallest golden model. Its widths are no fused attention's, so that part of it runs by composites.
 */
@Tag("long")
class AscendGoldenTest extends ModelConformance {
    private static @Nullable Emulator emulator;

    @BeforeAll
    static void start() {
        emulator = Emulator.start().with("delay", "0");
    }

    @AfterAll
    static void stop() {
        if (emulator != null) {
            emulator.close();
            emulator = null;
        }
    }

    @Override
    protected String device() {
        return "ascend:0";
    }

    @Override
    protected List<GoldenModel> models() {
        return GoldenModel.all().stream()
                .filter(m -> m.name().equals("demo-model"))
                .findFirst()
                .map(List::of)
                .orElseGet(() -> List.of(GoldenModel.micro()));
    }

    /** Not asked here: the vendor's operators promise no equal bits for other numbers of rows. */
    @Override
    public Stream<DynamicTest> equalities() {
        return Stream.empty();
    }
}
