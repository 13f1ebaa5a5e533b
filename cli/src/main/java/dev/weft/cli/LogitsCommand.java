package dev.weft.cli;

import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.Session;
import dev.weft.spi.Communicator;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * {@code weft logits}: a prefill in one call, then the remaining tokens one by one; all logits to a file. By it anyone can
 * hold Weft against another implementation.
 */
@Command(
        name = "logits",
        description = {
            "Write the logits of given tokens to a safetensors file.",
            "The first S tokens run in one call, the others one by one. The file gets prefill_logits [S, vocabulary]"
                    + " and decode_logits [n+1, vocabulary], whose row 0 belongs to token S-1; both F32."
        })
final class LogitsCommand extends WeftCommand {
    @Mixin
    private ModelOptions options = new ModelOptions();

    @Mixin
    private RankOptions ranks = new RankOptions();

    @Option(names = "--tokens", required = true, paramLabel = "FILE", description = "JSON array of token ids.")
    private Path tokens = Path.of("");

    @Option(names = "--split", required = true, paramLabel = "S", description = "Tokens of the prefill.")
    private int split;

    @Option(names = "--out", required = true, paramLabel = "FILE", description = "File to write.")
    private Path out = Path.of("");

    @Option(names = "--trace", description = "Also write what the prefill computed inside.")
    private boolean trace;

    LogitsCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        options.directory();
        requireFolder();
        int[] ids = Json.readIds(tokens);
        if (split < 1 || split > ids.length) {
            throw new UsageException("--split: found " + split + ", expected 1 to " + ids.length
                    + ", the number of tokens in " + tokens);
        }
        LoadOptions load = LoadOptions.defaults().maxContext(ids.length).maxTokens(split);
        return ranks.run(terminal, world -> write(trace ? load.withTrace() : load, ids, world));
    }

    private int write(LoadOptions load, int[] ids, @Nullable Communicator world) throws IOException {
        try (LoadedModel loaded = options.load(terminal, load, ranks, world)) {
            if (!LoadedModel.follows(terminal, loaded.model(), world)) {
                run(loaded.model(), ids).write(out);
            }
        }
        return ExitCode.OK;
    }

    /** Known before the work rather than after it. */
    private void requireFolder() {
        Path folder = out.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder) || Files.isDirectory(out)) {
            throw new UsageException("--out: found " + out + ", expected a file in a folder that exists");
        }
    }

    private TensorFile run(DeepSeekV4 model, int[] ids) {
        int vocabulary = model.config().vocabSize();
        TensorFile file = new TensorFile();
        try (Session session = model.newSession();
                Progress progress = new Progress(terminal, "tokens", Progress.Unit.TOKENS, ids.length)) {
            float[][] prefill = session.appendAll(Arrays.copyOf(ids, split));
            progress.accept(split);
            if (trace) {
                new Trace(model, split).copyTo(file);
                file.add("input_ids", ids, ids.length);
                file.add("positions", IntStream.range(0, split).toArray(), split);
            }
            float[][] decode = new float[ids.length - split + 1][];
            decode[0] = prefill[split - 1];
            for (int i = split; i < ids.length; i++) {
                decode[i - split + 1] = session.append(ids[i]);
                progress.accept(i + 1L);
            }
            file.add("prefill_logits", prefill, vocabulary);
            file.add("decode_logits", decode, vocabulary);
        }
        return file;
    }
}
