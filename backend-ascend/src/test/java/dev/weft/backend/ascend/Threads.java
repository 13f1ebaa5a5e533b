package dev.weft.backend.ascend;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.UnaryOperator;

/** Ranks that are threads of this process, and how their first bytes travel. */
final class Threads {
    private Threads() {}

    /** What a rank does. */
    interface Body<T> {
        T run(int rank, UnaryOperator<byte[]> fromRankZero) throws Exception;
    }

    /** Runs the body on a thread per rank. Returns what it returned, or threw, by rank. */
    static List<Object> outcomes(int ranks, Body<?> body) {
        CompletableFuture<byte[]> first = new CompletableFuture<>();
        List<Object> outcomes = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(ranks)) {
            List<Future<Object>> running = new ArrayList<>();
            for (int i = 0; i < ranks; i++) {
                int rank = i;
                running.add(threads.submit(() -> body.run(rank, mine -> {
                    if (rank == 0) {
                        first.complete(mine);
                    }
                    return first.join();
                })));
            }
            for (Future<Object> one : running) {
                try {
                    outcomes.add(one.get());
                } catch (ExecutionException e) {
                    outcomes.add(e.getCause());
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
            }
        }
        return outcomes;
    }

    /** As {@link #outcomes}, where no rank may fail. */
    @SuppressWarnings("unchecked") // the body's own results
    static <T> List<T> run(int ranks, Body<T> body) {
        List<Object> outcomes = outcomes(ranks, body);
        for (Object outcome : outcomes) {
            if (outcome instanceof Throwable t) {
                throw new AssertionError("a rank failed: " + t.getMessage(), t);
            }
        }
        return (List<T>) outcomes;
    }
}
