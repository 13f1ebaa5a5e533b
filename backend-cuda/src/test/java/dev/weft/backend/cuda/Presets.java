package dev.weft.backend.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.MethodModel;
import java.lang.classfile.attribute.ConstantValueAttribute;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.reflect.AccessFlag;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.stream.IntStream;

/**
 * What JavaCPP's presets ({@code org.bytedeco:cuda}) say of NVIDIA's headers, read from the class files: they are generated
 * from the headers themselves, and initialising one of them would load NVIDIA's libraries.
 */
final class Presets {
    private static final String PACKAGE = "org/bytedeco/cuda/";

    /** Handles whose names do not say so. */
    private static final List<String> HANDLES = List.of(
            "ncclComm",
            "_nvrtcProgram",
            "cublasLtContext",
            "cublasLtMatmulDescOpaque_t",
            "cublasLtMatrixLayoutOpaque_t",
            "cublasLtMatmulPreferenceOpaque_t");

    /** How a C value is passed. */
    enum Kind {
        /** Integers of up to 32 bits. */
        INT,
        /** Integers of 64 bits, device addresses. */
        LONG,
        /** An opaque handle. */
        HANDLE,
        /** {@code void *}. */
        VOID_POINTER,
        /** The address of something that has a type. */
        POINTER,
        /** A structure by value. */
        STRUCTURE
    }

    /** @param parameters of a function, in order */
    record Signature(Kind result, List<Kind> parameters) {}

    /**
     * A field of a structure.
     *
     * @param offset of its first byte, by the rules of 64-bit System V
     * @param bytes of the field
     */
    record Field(long offset, long bytes) {}

    private final ClassModel model;

    private Presets(String name) {
        try (InputStream in = ClassLoader.getSystemResourceAsStream(PACKAGE + name + ".class")) {
            this.model = ClassFile.of()
                    .parse(Objects.requireNonNull(in, () -> PACKAGE + name).readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Functions and constants of a header. @param name of the preset, {@code cudart} for {@code cuda.h} */
    static Presets of(String name) {
        return new Presets("global/" + name);
    }

    /** A constant or enumerator. */
    OptionalLong constant(String name) {
        return model.fields().stream()
                .filter(f -> f.fieldName().equalsString(name))
                .flatMap(f -> f.findAttribute(Attributes.constantValue()).stream())
                .map(ConstantValueAttribute::constant)
                .mapToLong(c -> ((Number) c.constantValue()).longValue())
                .findFirst();
    }

    /** A function's parameters; JavaCPP has several methods for one with addresses, which all say the same. */
    List<Signature> functions(String name) {
        return model.methods().stream()
                .filter(m -> m.methodName().equalsString(name))
                .map(Presets::signature)
                .distinct()
                .toList();
    }

    private static Signature signature(MethodModel method) {
        MethodTypeDesc type = method.methodTypeSymbol();
        List<List<String>> annotations = method.findAttribute(Attributes.runtimeVisibleParameterAnnotations())
                .map(a -> a.parameterAnnotations().stream()
                        .map(p -> p.stream()
                                .map(x -> x.classSymbol().displayName())
                                .toList())
                        .toList())
                .orElse(List.of());
        List<Kind> parameters = IntStream.range(0, type.parameterCount())
                .mapToObj(i -> kind(type.parameterType(i), i < annotations.size() ? annotations.get(i) : List.of()))
                .toList();
        return new Signature(kind(type.returnType(), List.of()), parameters);
    }

    private static Kind kind(ClassDesc type, List<String> annotations) {
        if (type.isPrimitive()) {
            return type.descriptorString().equals("J") ? Kind.LONG : Kind.INT;
        }
        String name = type.displayName();
        if (annotations.contains("ByVal")) {
            return Kind.STRUCTURE;
        }
        if (annotations.contains("ByPtrPtr") || type.isArray()) {
            return Kind.POINTER;
        }
        if (name.equals("Pointer")) {
            return Kind.VOID_POINTER;
        }
        return name.endsWith("_st") || HANDLES.contains(name) ? Kind.HANDLE : Kind.POINTER;
    }

    /**
     * The fields of a structure that has no fields of structure type before the last.
     *
     * @param name preset and structure, {@code cudart/CUlaunchConfig}
     */
    static Map<String, Field> structure(String name) {
        Map<String, Field> fields = new LinkedHashMap<>();
        long end = 0;
        for (MethodModel getter : new Presets(name).model.methods()) {
            MethodTypeDesc type = getter.methodTypeSymbol();
            var flags = getter.flags();
            if (flags.has(AccessFlag.NATIVE) && flags.has(AccessFlag.PUBLIC) && type.parameterCount() == 0) {
                long bytes = kind(type.returnType(), List.of()) == Kind.INT ? Integer.BYTES : Long.BYTES;
                long offset = (end + bytes - 1) / bytes * bytes;
                fields.put(getter.methodName().stringValue(), new Field(offset, bytes));
                end = offset + bytes;
            }
        }
        return fields;
    }
}
