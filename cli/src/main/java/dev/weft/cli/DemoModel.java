package dev.weft.cli;

import dev.weft.CheckpointException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The small model that comes with Weft: where it is and what to feed it. */
final class DemoModel {
    /** Set by the launcher: the folder of the checkout or the distribution. */
    private static final String HOME_PROPERTY = "weft.home";

    private static final String PASSAGE_FILE = "heldout.txt";

    /** For a model without a held-out text (A. Bierce, The Devil's Dictionary, 1911). */
    private static final String PASSAGE = """
        Absurdity, n. A statement or belief manifestly inconsistent with one's own opinion. Accident, n. An inevitable \
        occurrence due to the action of immutable natural laws. Acquaintance, n. A person whom we know well enough to \
        borrow from, but not well enough to lend to. A degree of friendship called slight when its object is poor or \
        obscure, and intimate when he is rich or famous. Admiration, n. Our polite recognition of another's \
        resemblance to ourselves. Alone, adj. In bad company. Ambition, n. An overmastering desire to be vilified by \
        enemies while living and made ridiculous by friends when dead.
        """;

    private DemoModel() {}

    /**
     * The folder of the model.
     *
     * @param given folder named on the command line, or null
     * @throws CheckpointException naming the places searched if it is not there
     */
    static Path locate(@Nullable Path given) {
        List<Path> candidates = given != null ? List.of(given) : places();
        return candidates.stream()
                .filter(p -> Files.isRegularFile(p.resolve("config.json")))
                .findFirst()
                .orElseThrow(() -> new CheckpointException("demo model: no config.json in " + candidates
                        + "; run the weft launcher of a checkout or distribution, or name a model with --model"));
    }

    private static List<Path> places() {
        List<Path> places = new ArrayList<>();
        String home = System.getProperty(HOME_PROPERTY);
        if (home != null) {
            places.add(Path.of(home, "demo-model"));
            places.add(Path.of(home, "examples", "demo-model"));
        }
        for (Path p = Path.of("").toAbsolutePath(); p != null; p = p.getParent()) {
            places.add(p.resolve("examples").resolve("demo-model"));
        }
        return places;
    }

    /** Tokens of a text that the model was not trained on, {@code count} of them or as many as there are. */
    static int[] passage(Path model, ModelText text, int count) throws IOException {
        Path file = model.resolve(PASSAGE_FILE);
        String all = Files.isRegularFile(file) ? Files.readString(file) : PASSAGE;
        String start =
                all.substring(0, Math.min(all.length(), 16 * count)); // a token is seldom longer than 16 characters
        int[] ids = text.plain(start);
        return ids.length <= count ? ids : Arrays.copyOf(ids, count);
    }
}
