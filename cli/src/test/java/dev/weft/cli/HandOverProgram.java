package dev.weft.cli;

import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Session;
import dev.weft.model.SessionMemory;
import dev.weft.ranks.Launch;
import dev.weft.ranks.Ranks;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Communicator;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import java.util.zip.CRC32C;

/** What the ranks of {@link HandOverTest} run: the first prefills and hands its session over, the second decodes. */
public final class HandOverProgram {
    /** Two pages of caches. */
    static final int PROMPT = 256;

    private static final int[] IDS =
            IntStream.range(0, PROMPT + 24).map(i -> (17 * i + 3) % 90).toArray();

    private HandOverProgram() {}

    /** @param args the model's folder */
    public static void main(String[] args) {
        Path model = Path.of(args[0]);
        int status = Ranks.run(
                Launch.of(System.getenv()), Duration.ofSeconds(60), Map.of(), world -> handOver(model, world), e -> {
                    System.err.println(e);
                    return ExitCode.FAILED;
                });
        System.exit(status);
    }

    private static int handOver(Path folder, Communicator world) {
        try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(1));
                Checkpoint checkpoint = Checkpoint.open(folder);
                DeepSeekV4 model = load(weft, checkpoint)) {
            if (world.rank() == 0) {
                try (Session s = prefill(model)) {
                    AtomicLong sent = new AtomicLong();
                    s.send(counting(world, sent), 1);
                    SessionMemory m = s.memory();
                    System.out.printf("sent %d bytes, rings %d, pages %d%n", sent.get(), m.rings(), m.ownPages());
                }
            } else {
                try (Session s = model.receiveSession(world, 0)) {
                    System.out.printf("at %d, decoded to %s%n", s.position(), decode(s));
                }
            }
        }
        return ExitCode.OK;
    }

    /** Checksum of the logits of what follows the prompt, prefilled and decoded in one process. */
    static String alone(Path folder) {
        try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(1));
                Checkpoint checkpoint = Checkpoint.open(folder);
                DeepSeekV4 model = load(weft, checkpoint);
                Session s = prefill(model)) {
            return decode(s);
        }
    }

    private static DeepSeekV4 load(Weft weft, Checkpoint checkpoint) {
        LoadOptions options =
                LoadOptions.defaults().mode(NumericMode.BF16).maxContext(512).maxSequences(1);
        return DeepSeekV4.load(checkpoint, weft.device("cpu:0"), options);
    }

    private static Session prefill(DeepSeekV4 model) {
        Session s = model.newSession();
        s.append(Arrays.copyOf(IDS, PROMPT));
        return s;
    }

    private static String decode(Session s) {
        CRC32C crc = new CRC32C();
        for (int i = PROMPT; i < IDS.length; i++) {
            float[] logits = s.append(IDS[i]);
            ByteBuffer bytes = ByteBuffer.allocate(logits.length * Float.BYTES);
            bytes.asFloatBuffer().put(logits);
            crc.update(bytes);
        }
        return Long.toHexString(crc.getValue());
    }

    /** Counts the bytes that are sent. */
    private static Communicator counting(Communicator group, AtomicLong sent) {
        return (Communicator) Proxy.newProxyInstance(
                Communicator.class.getClassLoader(), new Class<?>[] {Communicator.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("send")) {
                        sent.addAndGet(((MemorySegment) arguments[1]).byteSize());
                    }
                    try {
                        return method.invoke(group, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
