package dev.weft.cli;

import dev.weft.op.OpInstance;
import dev.weft.spi.Backend;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.BackendProvider;
import dev.weft.spi.Capturing;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ServiceLoader;
import java.util.function.BiFunction;
import java.util.stream.Stream;

/**
 * The CPU backend, on whose Vector API rung one operator's kernel is made wrong: the first element of its F32 result becomes
 * another one.
 */
final class PlantedProvider {
    private static final float WRONG = 1e6f;

    private PlantedProvider() {}

    /** @param operator name of the operator whose kernel on {@code cpu:0/vector} is wrong */
    static BackendProvider of(String operator) {
        PlantedProvider.class.getModule().addUses(BackendProvider.class); // the command itself looks for none
        BackendProvider cpu = ServiceLoader.load(BackendProvider.class).stream()
                .map(ServiceLoader.Provider::get)
                .filter(p -> p.name().equals("cpu"))
                .findFirst()
                .orElseThrow();
        return watched(BackendProvider.class, cpu, "open", (b, config) -> backend((Backend) b, operator));
    }

    private static Backend backend(Backend backend, String operator) {
        return watched(
                Backend.class,
                backend,
                "open",
                (d, id) -> id.equals(ComparedMicro.VECTOR) ? device((BackendDevice) d, operator) : d);
    }

    private static BackendDevice device(BackendDevice device, String operator) {
        return watched(
                BackendDevice.class,
                device,
                "prepare",
                (k, op) -> ((OpInstance) op).op().name().equals(operator)
                        ? new Wrong(
                                (Kernel) k, device, ((OpInstance) op).inputs().size())
                        : k);
    }

    /** @param result number of the operand that becomes wrong */
    private record Wrong(Kernel kernel, BackendDevice device, int result) implements Kernel {
        @Override
        public String name() {
            return kernel.name();
        }

        @Override
        public long workspaceBytes() {
            return kernel.workspaceBytes();
        }

        @Override
        public void enqueue(DeviceStream stream, KernelArguments arguments) {
            kernel.enqueue(stream, arguments);
            stream.synchronize();
            try (Arena arena = Arena.ofConfined()) {
                device.copyIn(arena.allocateFrom(ValueLayout.JAVA_FLOAT, WRONG), arguments.address(result));
            }
        }
    }

    /** The same object, one of whose methods answers with something made of its answer and of its argument. */
    private static <T> T watched(Class<T> type, T target, String name, BiFunction<Object, Object, Object> change) {
        Class<?>[] interfaces = Stream.concat(
                        Stream.of(type), Stream.of(target.getClass().getInterfaces()))
                .filter(i -> i.getPackageName().equals("dev.weft.spi"))
                .filter(i -> i != Capturing.class) // a wrong kernel waits for the right one, which no recording may
                .distinct()
                .toArray(Class<?>[]::new);
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), interfaces, (proxy, method, args) -> {
            Object answer = call(target, method, args);
            return method.getName().equals(name) ? change.apply(answer, args[0]) : answer;
        }));
    }

    private static Object call(Object target, Method method, Object[] args) throws Throwable {
        try {
            return method.invoke(target, args);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
