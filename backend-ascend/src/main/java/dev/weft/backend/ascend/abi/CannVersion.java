package dev.weft.backend.ascend.abi;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A version of CANN. Release candidates and betas count as the release they lead to: what matters is which interface
 * they have.
 *
 * @param major as the 9 in 9.1.0
 * @param minor as the 1 in 9.1.0
 * @param text as found, as in {@code 8.1.RC1}
 */
public record CannVersion(int major, int minor, String text) implements Comparable<CannVersion> {
    /** Releases that the table of functions speaks of. Being listed says that a version is known, not that it was run. */
    public static final List<String> LISTED = List.of("8.1", "8.2", "8.3", "8.5", "9.0", "9.1", "9.2");

    private static final Pattern NUMBERS = Pattern.compile("(\\d{1,3})\\.(\\d{1,3})(\\.[\\w.-]+|-[\\w.-]+)?");
    private static final Pattern VERSION_LINE = Pattern.compile("\\s*(?i:\\w*version)\\s*=.*");
    private static final Comparator<CannVersion> ORDER =
            Comparator.comparingInt(CannVersion::major).thenComparingInt(CannVersion::minor);

    /** The first version number in {@code text}, empty if there is none. */
    public static Optional<CannVersion> find(String text) {
        Matcher numbers = NUMBERS.matcher(text);
        return numbers.find()
                ? Optional.of(new CannVersion(
                        Integer.parseInt(numbers.group(1)), Integer.parseInt(numbers.group(2)), numbers.group()))
                : Optional.empty();
    }

    /**
     * Version of an installation from the files of its installer, else from its folder's name after links.
     *
     * @param arch this machine, as in {@code aarch64}
     */
    static Optional<CannVersion> installed(Path root, String arch) {
        return Stream.of(
                        arch + "-linux/ascend_toolkit_install.info",
                        arch + "-linux/ascend_nnrt_install.info",
                        "ascend_toolkit_install.info",
                        "version.info",
                        "version.cfg")
                .flatMap(file -> inFile(root.resolve(file)).stream())
                .findFirst()
                .or(() -> inName(root));
    }

    private static Optional<CannVersion> inFile(Path file) {
        try {
            return Files.readAllLines(file, StandardCharsets.ISO_8859_1).stream()
                    .filter(line -> VERSION_LINE.matcher(line).matches())
                    .flatMap(line -> find(line).stream())
                    .findFirst();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static Optional<CannVersion> inName(Path folder) {
        try {
            return find(String.valueOf(folder.toRealPath().getFileName()));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** Whether it is one of {@link #LISTED}. */
    public boolean listed() {
        return LISTED.contains(major + "." + minor);
    }

    /**
     * Whether a release of this version is known to have functions of a {@code since} column. Signatures that were only
     * seen in development trees are in no release for certain.
     */
    boolean has(String since) {
        return switch (since) {
            case "<=8.1" -> compareTo(new CannVersion(8, 1, "")) >= 0;
            case "8.3..8.5" -> compareTo(new CannVersion(8, 5, "")) >= 0;
            case ">8.1 (present mid-2026, 9.x)" -> major >= 9;
            default -> false;
        };
    }

    @Override
    public int compareTo(CannVersion other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        return text;
    }
}
