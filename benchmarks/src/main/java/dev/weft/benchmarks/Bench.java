package dev.weft.benchmarks;

import dev.weft.benchmarks.own.GraphContender;
import dev.weft.benchmarks.work.Work;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import org.jspecify.annotations.Nullable;

/** A work on this library's best device, for JMH. {@code -Dweft.bench.threads} is the number of threads, 1 if unset. */
final class Bench implements AutoCloseable {
    private @Nullable Weft weft;
    private @Nullable Work work;
    private @Nullable GraphContender contender;

    /** The library with the threads that benchmarks use. */
    static Weft weft() {
        return Weft.open(BackendConfig.DEFAULT.withThreads(Integer.getInteger("weft.bench.threads", 1)));
    }

    void open(Work work) {
        this.work = work;
        weft = weft();
        contender = GraphContender.of(weft.best(), work);
    }

    void run() {
        if (contender == null) {
            throw new IllegalStateException("benchmark: run before open");
        }
        contender.run();
    }

    @Override
    public void close() {
        if (contender != null) {
            contender.close();
        }
        if (weft != null) {
            weft.close();
        }
        if (work != null) {
            work.close();
        }
    }
}
