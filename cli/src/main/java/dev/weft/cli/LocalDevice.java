package dev.weft.cli;

import dev.weft.ranks.Launch;
import dev.weft.ranks.LaunchException;
import dev.weft.ranks.RankTable;
import java.util.Map;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Ids of devices in which {@code local} stands for the number that a rank has on its host: one device per rank. */
final class LocalDevice {
    private static final Pattern LOCAL = Pattern.compile("([a-z][a-z0-9]*):local(/.*)?");

    private LocalDevice() {}

    /** The id with a number. @throws LaunchException if nothing says which one this rank is on its host */
    static String id(String text) {
        return id(text, System.getenv());
    }

    static String id(String text, Map<String, String> environment) {
        Matcher m = LOCAL.matcher(text);
        return m.matches()
                ? m.group(1) + ":" + localRank(text, environment) + (m.group(2) == null ? "" : m.group(2))
                : text;
    }

    private static int localRank(String text, Map<String, String> environment) {
        Launch launch = Launch.of(environment);
        OptionalInt tabled = OptionalInt.empty();
        RankTable table = RankTable.of(environment).orElse(null);
        if (table != null) {
            table.requireSame(launch.rank(), launch.size());
            tabled = table.localRank(launch.rank());
        }
        if (launch.localRank() < 0) {
            return tabled.orElseThrow(() -> new LaunchException("--device " + text + ": no variable of " + launch
                    + " says which one it is on its host; set LOCAL_RANK," + " or name the device by its number"));
        }
        if (tabled.isPresent() && tabled.getAsInt() != launch.localRank()) {
            throw new LaunchException("--device " + text + ": " + launch + " is number " + launch.localRank()
                    + " on its host, its rank table says " + tabled.getAsInt()
                    + "; give the table of this job, or name the device by its number");
        }
        return launch.localRank();
    }
}
