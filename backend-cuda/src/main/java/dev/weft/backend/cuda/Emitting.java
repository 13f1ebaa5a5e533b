package dev.weft.backend.cuda;

import dev.weft.spi.DeviceStream;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.Arena;
import java.util.OptionalInt;

/** A kernel of the backend: its calls are launches, which go to a stream, into a graph, or are only counted. */
interface Emitting extends Kernel {
    /** The device that it was made for. */
    CudaDevice device();

    /** Writes the launches of one call to {@code sink}. */
    void emit(KernelArguments arguments, Emission.Sink sink);

    @Override
    default OptionalInt launches(KernelArguments arguments) {
        try (Arena arena = Arena.ofConfined()) {
            Emission.Counter counter = new Emission.Counter(arena);
            emit(arguments, counter);
            return OptionalInt.of(counter.launches());
        }
    }

    @Override
    default void enqueue(DeviceStream stream, KernelArguments arguments) {
        CudaStream s = CudaStream.of(stream, device());
        s.append(() -> emit(arguments, s));
    }
}
