package dev.weft.backend.cpu.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CheckpointException;
import dev.weft.CommunicatorException;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Session;
import dev.weft.spi.Communicator;
import dev.weft.spi.support.LocalGroup;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A sequence prefilled by one rank and decoded by another. */
class SessionHandOverTest {
    private static final int[] IDS = TinyModel.ids(160, 33);
    private static final int PROMPT = 140;

    @TempDir
    private static Path checkpoint;

    @BeforeAll
    static void write() {
        TinyModel.write(checkpoint, TinyModel.config(), 5);
    }

    private static LoadOptions options(NumericMode mode) {
        return LoadOptions.defaults().mode(mode).maxContext(256).maxSequences(2);
    }

    private static float[][] decode(Session s) {
        return s.appendAll(Arrays.copyOfRange(IDS, PROMPT, IDS.length));
    }

    /** The first rank prefills and sends, the second, a model of its own, receives and decodes. */
    private static Future<float[][]> handOver(LoadOptions prefill, LoadOptions decode, Duration deadline) {
        List<Communicator> ranks = LocalGroup.of(2, deadline);
        Callable<float[][]> sender = () -> {
            try (TinyModel tiny = TinyModel.open(checkpoint, prefill);
                    Session s = tiny.model().newSession()) {
                s.append(Arrays.copyOf(IDS, PROMPT));
                s.send(ranks.get(0), 1);
                return decode(s);
            }
        };
        Callable<float[][]> receiver = () -> {
            try (TinyModel tiny = TinyModel.open(checkpoint, decode);
                    Session s = tiny.model().receiveSession(ranks.get(1), 0)) {
                assertThat(s.position()).isEqualTo(PROMPT);
                return decode(s);
            }
        };
        try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
            Future<float[][]> sent = threads.submit(sender);
            Future<float[][]> received = threads.submit(receiver);
            return new Both(sent, received).same();
        }
    }

    /** What both ranks computed. */
    private record Both(Future<float[][]> sender, Future<float[][]> receiver) {
        Future<float[][]> same() {
            if (receiver.state() == Future.State.SUCCESS) {
                assertThat(receiver.resultNow()).isEqualTo(sender.resultNow());
            }
            return receiver;
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void decodingGoesOnElsewhereWithTheSameBits(boolean mtp) {
        LoadOptions o = options(NumericMode.BF16);
        LoadOptions both = mtp ? o.withMtp() : o;
        Future<float[][]> received = handOver(both, both, Duration.ofSeconds(60));
        assertThat(received.state()).isEqualTo(Future.State.SUCCESS);
        assertThat(received.resultNow()).hasNumberOfRows(IDS.length - PROMPT);
    }

    @Test
    void aModelOfAnotherModeRefusesWhatArrives() {
        Future<float[][]> received =
                handOver(options(NumericMode.FP32), options(NumericMode.BF16), Duration.ofSeconds(60));
        assertThat(received.exceptionNow())
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("mode");
    }

    @Test
    void whoNeverSendsIsNamed() {
        List<Communicator> ranks = LocalGroup.of(2, Duration.ofMillis(100));
        try (TinyModel tiny = TinyModel.open(checkpoint, options(NumericMode.BF16))) {
            assertThatThrownBy(() -> tiny.model().receiveSession(ranks.get(1), 0))
                    .isInstanceOf(CommunicatorException.class)
                    .hasMessageContaining("session hand-over")
                    .hasMessageContaining("ranks [0] did not answer");
            try (Session s = tiny.model().newSession()) {
                assertThat(s.append(1)).as("the model is still usable").isNotEmpty();
            }
        }
    }
}
