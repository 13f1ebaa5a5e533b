package dev.weft.spi.nativelib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class NativeBinderTest {
    interface Libc {
        int abs(int value);

        long labs(long value);

        double ldexp(double value, int exponent);

        MemorySegment memset(MemorySegment target, int value, long bytes);

        @Symbol(value = "strlen", critical = true)
        long length(MemorySegment text);

        @Symbol("weft_no_such_function")
        void missing();

        default int twice(int value) {
            return 2 * abs(value);
        }
    }

    interface Unbindable {
        void take(String text);
    }

    private static Libc bind(SymbolLookup symbols) {
        return NativeBinder.bind(MethodHandles.lookup(), Libc.class, symbols);
    }

    @Test
    void javaTypesDecideTheCTypes() {
        Libc libc = bind(Linker.nativeLinker().defaultLookup());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocateFrom("seven c");
            assertThat(libc.abs(-5)).isEqualTo(5);
            assertThat(libc.labs(Long.MIN_VALUE + 1)).isEqualTo(Long.MAX_VALUE);
            assertThat(libc.ldexp(0.75, 3)).isEqualTo(6.0);
            assertThat(libc.length(text)).isEqualTo(7);
            assertThat(libc.memset(text, 'x', 2)).isEqualTo(MemorySegment.ofAddress(text.address()));
            assertThat(text.getString(0)).isEqualTo("xxven c");
            assertThat(libc.twice(-21)).isEqualTo(42);
        }
    }

    @Test
    void aFunctionIsLookedUpOnceAtItsFirstCall() {
        AtomicInteger lookups = new AtomicInteger();
        Libc libc = bind(name -> {
            lookups.incrementAndGet();
            return Linker.nativeLinker().defaultLookup().find(name);
        });
        assertThat(lookups).hasValue(0);
        libc.abs(-1);
        libc.abs(-2);
        assertThat(lookups).hasValue(1);
    }

    @Test
    void aMissingFunctionIsNamedAtItsFirstCall() {
        Libc libc = bind(Linker.nativeLinker().defaultLookup());
        assertThatThrownBy(libc::missing)
                .isInstanceOf(UnsatisfiedLinkError.class)
                .hasMessageContaining("Libc.missing")
                .hasMessageContaining("weft_no_such_function");
        assertThat(libc.abs(-3)).isEqualTo(3);
    }

    @Test
    void aTypeWithoutCounterpartIsRefusedAtOnce() {
        assertThatThrownBy(() -> NativeBinder.bind(MethodHandles.lookup(), Unbindable.class, n -> Optional.empty()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("java.lang.String");
    }

    @Test
    void aDeadSegmentIsRefusedBeforeTheCall() {
        Libc libc = bind(Linker.nativeLinker().defaultLookup());
        Arena arena = Arena.ofConfined();
        MemorySegment text = arena.allocate(ValueLayout.JAVA_BYTE);
        arena.close();
        assertThatThrownBy(() -> libc.length(text)).isInstanceOf(IllegalStateException.class);
    }
}
