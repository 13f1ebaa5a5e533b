package dev.weft.spi.nativelib;

import static java.lang.constant.ConstantDescs.CD_MethodHandle;
import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_int;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.DirectMethodHandleDesc;
import java.lang.constant.DynamicConstantDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Implements a Java interface by the functions of a C library: one method is one function, and Java types decide the C
 * types: {@code int}, {@code long}, {@code float}, {@code double} and {@code MemorySegment} (a pointer).
 *
 * <p>The implementation is a hidden class whose methods call a constant method handle each, as fast as a handle in a
 * {@code static final} field. A function is looked up and linked at its first call, so that one interface spans library
 * versions and unused functions cost nothing; one that the library lacks throws {@link UnsatisfiedLinkError} then. The
 * permission to call native code is asked of the caller's module, not of this one.
 */
public final class NativeBinder {
    private static final Map<Class<?>, MemoryLayout> LAYOUTS = Map.of(
            int.class, ValueLayout.JAVA_INT,
            long.class, ValueLayout.JAVA_LONG,
            float.class, ValueLayout.JAVA_FLOAT,
            double.class, ValueLayout.JAVA_DOUBLE,
            MemorySegment.class, ValueLayout.ADDRESS);

    private static final DirectMethodHandleDesc LINK = ConstantDescs.ofConstantBootstrap(
            NativeBinder.class.describeConstable().orElseThrow(), "link", CD_MethodHandle, CD_int);

    private static final MethodType DOWNCALL_HANDLE = MethodType.methodType(
            MethodHandle.class, MemorySegment.class, FunctionDescriptor.class, Linker.Option[].class);

    private NativeBinder() {}

    /** What the bootstrap of a bound class needs: where symbols come from and which method wants which. */
    private record Binding(Class<?> iface, SymbolLookup symbols, List<Method> methods) {}

    /**
     * Binds {@code iface} to the functions that {@code symbols} finds.
     *
     * @param caller lookup of a class in the package of {@code iface}; its module needs native access
     * @param iface an interface, not private
     * @param symbols the library; must stay open as long as the result is used
     * @throws IllegalArgumentException if a method has a type without a C counterpart
     */
    public static <T> T bind(MethodHandles.Lookup caller, Class<T> iface, SymbolLookup symbols) {
        List<Method> methods = Arrays.stream(iface.getMethods())
                .filter(m -> Modifier.isAbstract(m.getModifiers()))
                .toList();
        methods.forEach(NativeBinder::descriptor);
        byte[] bytes = implementation(caller.lookupClass().getPackageName(), iface, methods);
        try {
            MethodHandles.Lookup bound =
                    caller.defineHiddenClassWithClassData(bytes, new Binding(iface, symbols, methods), true);
            MethodHandle create = bound.findConstructor(bound.lookupClass(), MethodType.methodType(void.class));
            return iface.cast(create.invoke());
        } catch (IllegalAccessException e) {
            throw new IllegalArgumentException(
                    caller + " cannot implement " + iface + ": expected an interface of its own package", e);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] implementation(String packageName, Class<?> iface, List<Method> methods) {
        ClassDesc self = ClassDesc.of(packageName, iface.getSimpleName() + "$Native");
        return ClassFile.of().build(self, type -> {
            type.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SYNTHETIC);
            type.withInterfaceSymbols(iface.describeConstable().orElseThrow());
            constructor(type);
            for (int i = 0; i < methods.size(); i++) {
                call(type, methods.get(i), i);
            }
        });
    }

    private static void constructor(ClassBuilder type) {
        type.withMethodBody(
                ConstantDescs.INIT_NAME,
                ConstantDescs.MTD_void,
                ClassFile.ACC_PUBLIC,
                code -> code.aload(0)
                        .invokespecial(CD_Object, ConstantDescs.INIT_NAME, ConstantDescs.MTD_void)
                        .return_());
    }

    /** {@code return LINKED.invokeExact(arguments)} with a constant that is linked when first reached. */
    private static void call(ClassBuilder type, Method method, int index) {
        MethodTypeDesc signature = signature(method).describeConstable().orElseThrow();
        DynamicConstantDesc<?> linked = DynamicConstantDesc.ofNamed(LINK, method.getName(), CD_MethodHandle, index);
        type.withMethodBody(method.getName(), signature, ClassFile.ACC_PUBLIC, code -> {
            code.ldc(linked);
            loadParameters(code, method);
            code.invokevirtual(CD_MethodHandle, "invokeExact", signature);
            code.return_(TypeKind.from(method.getReturnType()));
        });
    }

    private static void loadParameters(CodeBuilder code, Method method) {
        Class<?>[] parameters = method.getParameterTypes();
        for (int i = 0; i < parameters.length; i++) {
            code.loadLocal(TypeKind.from(parameters[i]), code.parameterSlot(i));
        }
    }

    /**
     * Bootstrap of the constants in bound classes; not for other use.
     *
     * @throws UnsatisfiedLinkError if the library has no such function, or the module has no native access
     */
    public static MethodHandle link(MethodHandles.Lookup bound, String name, Class<?> type, int index)
            throws Throwable {
        Binding binding = MethodHandles.classData(bound, ConstantDescs.DEFAULT_NAME, Binding.class);
        Method method = binding.methods().get(index);
        String symbol = symbol(method);
        MemorySegment address = binding.symbols()
                .find(symbol)
                .orElseThrow(() -> new UnsatisfiedLinkError(binding.iface().getSimpleName() + "." + name
                        + ": the library has no function '" + symbol + "'; it may be of another version"));
        Symbol annotation = method.getAnnotation(Symbol.class);
        Linker.Option[] options = annotation != null && annotation.critical()
                ? new Linker.Option[] {Linker.Option.critical(false)}
                : new Linker.Option[0];
        try {
            // downcallHandle looks at its caller; found through the bound class that is a class of the user's module
            return (MethodHandle) bound.findVirtual(Linker.class, "downcallHandle", DOWNCALL_HANDLE)
                    .invoke(Linker.nativeLinker(), address, descriptor(method), options);
        } catch (IllegalCallerException e) {
            throw denied(binding.iface(), e);
        }
    }

    private static Error denied(Class<?> iface, IllegalCallerException cause) {
        String module = iface.getModule().isNamed() ? iface.getModule().getName() : "ALL-UNNAMED";
        return new UnsatisfiedLinkError(iface.getSimpleName() + ": native access is denied (" + cause.getMessage()
                + "); allow it with --enable-native-access=" + module);
    }

    private static String symbol(Method method) {
        Symbol annotation = method.getAnnotation(Symbol.class);
        return annotation == null || annotation.value().isEmpty() ? method.getName() : annotation.value();
    }

    private static MethodType signature(Method method) {
        return MethodType.methodType(method.getReturnType(), method.getParameterTypes());
    }

    private static FunctionDescriptor descriptor(Method method) {
        MemoryLayout[] parameters = Arrays.stream(method.getParameterTypes())
                .map(t -> layout(method, t))
                .toArray(MemoryLayout[]::new);
        return method.getReturnType() == void.class
                ? FunctionDescriptor.ofVoid(parameters)
                : FunctionDescriptor.of(layout(method, method.getReturnType()), parameters);
    }

    private static MemoryLayout layout(Method method, Class<?> type) {
        MemoryLayout layout = LAYOUTS.get(type);
        if (layout == null) {
            throw new IllegalArgumentException(
                    method + ": found type " + type.getName() + ", expected int, long, float, double or MemorySegment");
        }
        return layout;
    }
}
