package dev.weft.backend.cuda;

import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.util.Properties;

/**
 * What images were made of, as their build noted it.
 *
 * @param commit of the project, with a plus if the kernels differed from it; {@code unknown} outside of a repository
 * @param nvcc version of the compiler
 * @param sources hash of the kernels' texts, see {@link KernelSources#hash}
 */
record ImageOrigin(String commit, String nvcc, String sources) {
    /** The note beside the images. */
    static final String FILE = "build.properties";

    private static final int SHOWN = 12;

    static ImageOrigin parse(String text) {
        Properties p = new Properties();
        try {
            p.load(new StringReader(text));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return new ImageOrigin(
                p.getProperty("commit", "unknown"), p.getProperty("nvcc", "unknown"), p.getProperty("sources", ""));
    }

    /** A hash, as much of it as people compare. */
    static String shortened(String hash) {
        return hash.substring(0, Math.min(SHOWN, hash.length()));
    }

    @Override
    public String toString() {
        return "commit " + commit + ", nvcc " + nvcc + ", kernel sources " + shortened(sources);
    }
}
