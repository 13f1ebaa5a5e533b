package dev.weft.cli;

import dev.weft.spi.Communicator;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * A line on standard error that shows how far a long piece of work has got. Nothing is drawn during the first two seconds,
 * nor when nobody watches.
 */
final class Progress implements LongConsumer, AutoCloseable {
    /** What is counted. */
    enum Unit {
        BYTES(Units::bytes),
        TOKENS(Long::toString),
        CASES(Long::toString);

        private final LongFunction<String> text;

        Unit(LongFunction<String> text) {
            this.text = text;
        }
    }

    private static final long SILENT_NANOS = 2_000_000_000L;
    private static final long REDRAW_NANOS = 200_000_000L;

    private final Terminal terminal;
    private final String what;
    private final Unit unit;
    private final long total;
    private final boolean draws;
    private long next;
    private boolean drawn;

    /** @param total amount to come, 0 if unknown */
    Progress(Terminal terminal, String what, Unit unit, long total) {
        this(terminal, what, unit, total, SILENT_NANOS);
    }

    /** Of work that ranks do together: drawn by rank 0 alone. @param world null for a process alone */
    static Progress of(@Nullable Communicator world, Terminal terminal, String what, Unit unit, long total) {
        return of(world, terminal, what, unit, total, SILENT_NANOS);
    }

    static Progress of(
            @Nullable Communicator world, Terminal terminal, String what, Unit unit, long total, long silentNanos) {
        return new Progress(terminal, what, unit, total, silentNanos, world == null || world.rank() == 0);
    }

    /** With another silence at the start. */
    Progress(Terminal terminal, String what, Unit unit, long total, long silentNanos) {
        this(terminal, what, unit, total, silentNanos, true);
    }

    private Progress(Terminal terminal, String what, Unit unit, long total, long silentNanos, boolean draws) {
        this.draws = draws && terminal.interactive();
        this.next = System.nanoTime() + silentNanos;
        this.terminal = terminal;
        this.what = what;
        this.unit = unit;
        this.total = total;
    }

    /** Reports the amount done so far. */
    @Override
    public synchronized void accept(long done) {
        long now = System.nanoTime();
        if (!draws || now < next) {
            return;
        }
        next = now + REDRAW_NANOS;
        drawn = true;
        String of = total > 0 ? " of " + unit.text.apply(total) : "";
        terminal.note("\r\033[K%s: %s%s", what, unit.text.apply(done), of);
    }

    @Override
    public synchronized void close() {
        if (drawn) {
            terminal.note("\r\033[K");
        }
    }
}
