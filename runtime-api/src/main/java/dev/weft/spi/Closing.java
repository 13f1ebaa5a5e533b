package dev.weft.spi;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Closes several things: all of them, keeping the first failure and attaching the others to it. */
public final class Closing {
    private Closing() {}

    /** Closes in list order. */
    public static void all(List<? extends AutoCloseable> things) {
        @Nullable RuntimeException first = null;
        for (AutoCloseable thing : things) {
            try {
                thing.close();
            } catch (Exception e) {
                RuntimeException wrapped = e instanceof RuntimeException r ? r : new IllegalStateException(e);
                if (first == null) {
                    first = wrapped;
                } else {
                    first.addSuppressed(wrapped);
                }
            }
        }
        if (first != null) {
            throw first;
        }
    }
}
