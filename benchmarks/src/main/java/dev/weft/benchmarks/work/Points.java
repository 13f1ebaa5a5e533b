package dev.weft.benchmarks.work;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Choice of the outputs that are checked. */
final class Points {
    private Points() {}

    /** Corners, and a spread that touches every residue of panels and tiles, in the first and the last copy. */
    static List<Work.Point> spread(int copies, int rows, int columns) {
        Set<Work.Point> points = new LinkedHashSet<>();
        for (int copy : new int[] {0, copies - 1}) {
            for (int i = 0; i < 64; i++) {
                int row = (int) (i * 37L % rows);
                int column = (int) ((i * 131L + i / 8) % columns);
                points.add(new Work.Point(copy, row, column));
            }
            points.add(new Work.Point(copy, rows - 1, columns - 1));
            points.add(new Work.Point(copy, 0, columns - 1));
            points.add(new Work.Point(copy, rows - 1, 0));
        }
        return new ArrayList<>(points);
    }
}
