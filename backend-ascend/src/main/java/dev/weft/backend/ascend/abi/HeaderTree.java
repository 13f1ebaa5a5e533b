package dev.weft.backend.ascend.abi;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The headers of an installation or of a vendor package, read once and as a whole: file names do not tell which
 * functions are inside, and the types of a declaration are defined elsewhere.
 */
final class HeaderTree {
    private static final int MAX_DEPTH = 8;

    private final Map<String, List<Found>> declarations;
    private final Map<String, CTypeName> aliases;
    private final int files;

    private HeaderTree(Map<String, List<Found>> declarations, Map<String, CTypeName> aliases, int files) {
        this.declarations = declarations;
        this.aliases = aliases;
        this.files = files;
    }

    /** A declaration and the file it is in. */
    record Found(HeaderDeclaration declaration, Path file) {}

    /**
     * Reads all headers under {@code folders}; folders that do not exist are skipped.
     *
     * @param wanted functions to keep
     * @param base tree whose type aliases apply where this one has none, as CANN's do in vendor packages
     */
    static HeaderTree read(List<Path> folders, Set<String> wanted, HeaderTree base) {
        Map<Path, String> texts = new LinkedHashMap<>();
        files(folders).forEach(file -> texts.put(file, text(file)));
        return of(texts, wanted, base);
    }

    /** As {@link #read} for headers whose text is known. */
    static HeaderTree of(Map<Path, String> texts, Set<String> wanted, HeaderTree base) {
        Map<String, List<Found>> declarations = new HashMap<>();
        Map<String, CTypeName> aliases = new HashMap<>();
        List<Map.Entry<Path, HeaderParser.Contents>> parsed = texts.entrySet().parallelStream()
                .map(e -> Map.entry(e.getKey(), HeaderParser.parse(e.getValue(), wanted)))
                .toList();
        parsed.forEach(header -> {
            header.getValue().aliases().forEach(aliases::putIfAbsent);
            for (HeaderDeclaration d : header.getValue().declarations()) {
                declarations.computeIfAbsent(d.name(), n -> new ArrayList<>()).add(new Found(d, header.getKey()));
            }
        });
        base.aliases.forEach(aliases::putIfAbsent);
        return new HeaderTree(declarations, aliases, texts.size());
    }

    /** No headers; its aliases are those that every version of CANN defines. */
    static HeaderTree none() {
        CTypeName handle = new CTypeName("void", 1);
        Map<String, CTypeName> aliases = new HashMap<>(Map.of(
                "aclError", new CTypeName("int", 0),
                "aclnnStatus", new CTypeName("int32_t", 0),
                "aclFloat16", new CTypeName("uint16_t", 0)));
        for (String name : List.of("aclrtStream", "aclrtContext", "aclrtEvent", "HcclComm", "aclmdlRI")) {
            aliases.put(name, handle);
        }
        return new HeaderTree(Map.of(), aliases, 0);
    }

    /** Real paths, sorted: installations link one folder into another. What cannot be read declares nothing. */
    private static Set<Path> files(List<Path> folders) {
        Set<Path> files = new TreeSet<>();
        for (Path folder : folders) {
            try {
                Files.walkFileTree(folder, Set.of(FileVisitOption.FOLLOW_LINKS), MAX_DEPTH, new Collector(files));
            } catch (IOException e) {
                throw new UncheckedIOException(e); // the visitor lets nothing through
            }
        }
        return files;
    }

    private static final class Collector extends SimpleFileVisitor<Path> {
        private final Set<Path> files;

        Collector(Set<Path> files) {
            this.files = files;
        }

        @Override
        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
            String name = file.getFileName().toString();
            if (attributes.isRegularFile() && (name.endsWith(".h") || name.endsWith(".hpp"))) {
                files.add(file.toRealPath());
            }
            return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult visitFileFailed(Path file, IOException reason) {
            return FileVisitResult.CONTINUE; // absent, forbidden, or a link to a folder above
        }
    }

    private static String text(Path file) {
        try {
            // one byte, one character: comments may be in any encoding, declarations are ASCII
            return new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return "";
        }
    }

    /** All declarations of a function; several headers may repeat one. */
    List<Found> declarations(String function) {
        return declarations.getOrDefault(function, List.of());
    }

    /** Type that {@code type} stands for by one {@code typedef}, {@code null} if it is no alias. */
    @Nullable
    CTypeName target(CTypeName type) {
        CTypeName target = aliases.get(type.base());
        return target == null ? null : target.pointer(type.pointers());
    }

    /** Number of headers read. */
    int files() {
        return files;
    }
}
