package example;

import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Generator;
import dev.weft.model.LoadOptions;
import dev.weft.model.Sampling;
import dev.weft.model.Session;
import dev.weft.runtime.Weft;
import dev.weft.text.StreamingDecoder;
import dev.weft.text.Tokenizer;
import java.nio.file.Path;

/** Loads a DeepSeek-V4 checkpoint on the best device and continues a text. */
public final class Generate {
    private Generate() {}

    public static void main(String[] args) {
        Path folder = Path.of(args[0]);
        Tokenizer tokenizer = Tokenizer.load(folder.resolve("tokenizer.json"));
        int[] prompt = tokenizer.encodeWithSpecials("<｜begin▁of▁sentence｜>Elizabeth was very much surprised to see");
        try (Weft weft = Weft.open();
                Checkpoint checkpoint = Checkpoint.open(folder);
                DeepSeekV4 model = DeepSeekV4.load(checkpoint, weft.best(), LoadOptions.defaults());
                Session session = model.newSession()) {
            System.out.println("running on " + weft.best());
            StreamingDecoder text = tokenizer.decoder();
            new Generator(session)
                    .generate(prompt, Sampling.greedy(40), id -> System.out.print(text.append(id)), () -> false);
            System.out.println(text.finish());
        }
    }
}
