package dev.weft.conformance.docs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A Markdown page whose fenced blocks may be files: {@code ```java file=acme/AcmeDevice.java}. */
final class Page {
    private static final String FENCE = "```";
    private static final String FILE = " file=";

    private Page() {}

    /** The texts of a page's files by their names. */
    static Map<String, String> files(Path page) throws IOException {
        Map<String, String> files = new LinkedHashMap<>();
        List<String> lines = Files.readAllLines(page);
        for (int i = 0; i < lines.size(); i++) {
            int file = lines.get(i).startsWith(FENCE) ? lines.get(i).indexOf(FILE) : -1;
            if (file >= 0) {
                String name = lines.get(i).substring(file + FILE.length()).strip();
                int end = i + 1;
                while (!lines.get(end).equals(FENCE)) {
                    end++;
                }
                files.put(name, String.join("\n", lines.subList(i + 1, end)) + "\n");
                i = end;
            }
        }
        return files;
    }

    /** Writes files to a folder. */
    static void write(Map<String, String> files, Path folder) throws IOException {
        for (Map.Entry<String, String> file : files.entrySet()) {
            Path path = folder.resolve(file.getKey());
            Files.createDirectories(path.getParent());
            Files.writeString(path, file.getValue());
        }
    }
}
