package dev.weft.backend.cuda.kernel;

import java.util.List;

/** Where a {@link GroupWay} writes the launches of one call. */
public interface GroupEmit {
    /** Where launches of a member go. */
    Emit member(int i);

    /** Writes the launches that a member takes alone. */
    void alone(int i);

    /** Appends a launch of a kernel that computes several calls, at most twelve. */
    void launch(String module, String function, Grid grid, int threads, int sharedBytes, List<Part> parts);
}
