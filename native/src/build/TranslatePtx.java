import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * Translates PTX into C++ that the CUDA emulator runs as it runs our kernels ({@code native/cuda-emulator/README.md}).
 *
 * <pre>
 * TranslatePtx.java FOLDER PTX...    FOLDER/NAME.cpp for each NAME.ptx
 * </pre>
 *
 * <p>An instruction, a modifier or a directive that is not known is an error with its line; nothing is left out.
 */
final class TranslatePtx {
    private TranslatePtx() {}

    public static void main(String[] args) {
        if (args.length < 2) {
            System.err.println("usage: TranslatePtx.java FOLDER PTX...; got: " + String.join(" ", args));
            System.exit(2);
        }
        boolean isWhole = true;
        for (String ptx : Arrays.asList(args).subList(1, args.length)) {
            String name = Path.of(ptx).getFileName().toString().replaceFirst("\\.ptx$", ".cpp");
            try {
                PtxModule module = PtxParser.parse(Files.readAllLines(Path.of(ptx)));
                Files.writeString(Path.of(args[0], name), text(module));
            } catch (PtxException e) {
                System.err.println(ptx + ", " + e.getMessage());
                isWhole = false;
            } catch (IOException e) {
                System.err.println(ptx + ": cannot be translated to " + args[0] + "/" + name + ": " + e);
                isWhole = false;
            }
        }
        System.exit(isWhole ? 0 : 1);
    }

    private static String text(PtxModule module) {
        StringBuilder out = new StringBuilder("#include \"weft/cuda/ptx.h\"\n\nnamespace weft::ptx {\n\n");
        for (PtxModule.Variable v : module.variables()) {
            if (v.space().equals("global")) {
                out.append("alignas(" + v.alignment() + ") static u8 " + v.name() + "[" + v.bytes() + "];\n");
            }
        }
        for (PtxModule.Entry entry : module.entries()) {
            PtxHazards.check(entry);
            PtxWait.check(entry);
            out.append(PtxFunction.translate(module, entry));
        }
        return out.append("}  // namespace weft::ptx\n").toString();
    }
}
