package dev.weft.backend.cuda;

import dev.weft.UnsupportedOpException;
import dev.weft.backend.cuda.kernel.Part;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** Layout of {@code weft::Call} (native/cuda/include/weft/cuda/call.cuh), the one parameter of every kernel. */
final class CallLayout {
    static final int MAX_OPERANDS = 13;
    static final int MAX_ATTRIBUTES = 16;
    static final int MAX_TABLES = 4;

    /** Calls of a kernel that computes several. */
    static final int MOST_CALLS = 12;

    /** Words of a {@link dev.weft.backend.cuda.kernel.Part}, the last attributes of its call. */
    private static final int PART_WORDS = 5;

    static final long ATTRIBUTES = 8L * KernelArguments.WORDS * MAX_OPERANDS;
    static final long TABLES = ATTRIBUTES + 8L * MAX_ATTRIBUTES;
    static final long WORKSPACE = TABLES + 8L * MAX_TABLES;
    static final long BYTES = WORKSPACE + 8;

    private CallLayout() {}

    /** Fills {@code call}; places of operands, attributes and tables that there are none of stay as they are. */
    static void write(
            MemorySegment call, KernelArguments arguments, List<Long> attributes, long[] words, List<Long> tables) {
        require("operands", arguments.count(), MAX_OPERANDS);
        require("attribute words", attributes.size() + words.length, MAX_ATTRIBUTES);
        require("tables", tables.size(), MAX_TABLES);
        MemorySegment.copy(arguments.words(), 0, call, 0, 8L * KernelArguments.WORDS * arguments.count());
        long at = ATTRIBUTES;
        for (int i = 0; i < attributes.size(); i++, at += 8) {
            call.set(ValueLayout.JAVA_LONG, at, attributes.get(i));
        }
        for (int i = 0; i < words.length; i++, at += 8) {
            call.set(ValueLayout.JAVA_LONG, at, words[i]);
        }
        for (int i = 0; i < tables.size(); i++) {
            call.set(ValueLayout.JAVA_LONG, TABLES + 8L * i, tables.get(i));
        }
        call.set(ValueLayout.JAVA_LONG, WORKSPACE, arguments.workspace());
    }

    /** Fills {@code call} as {@link #write} does, its part words and, in place of the last table, the address of counters. */
    static void writePart(
            MemorySegment call,
            KernelArguments arguments,
            List<Long> attributes,
            Part part,
            List<Long> tables,
            long counters) {
        require("attribute words", attributes.size() + part.words().length, MAX_ATTRIBUTES - PART_WORDS);
        require("tables", tables.size(), MAX_TABLES - 1);
        write(call, arguments, attributes, part.words(), tables);
        call.set(ValueLayout.JAVA_LONG, WORKSPACE - 8, counters);
        writePlace(call, part);
    }

    /** Fills only the part words of {@code call}. */
    static void writePlace(MemorySegment call, Part part) {
        long[] words = {part.columns(), part.height(), part.first(), part.end(), part.kind()};
        for (int i = 0; i < PART_WORDS; i++) {
            call.set(ValueLayout.JAVA_LONG, ATTRIBUTES + 8L * (MAX_ATTRIBUTES - PART_WORDS + i), words[i]);
        }
    }

    private static void require(String what, int found, int most) {
        if (found > most) {
            throw new UnsupportedOpException("call of a CUDA kernel: found " + found + " " + what
                    + ", expected at most " + most + "; raise the limit in call.cuh and CallLayout");
        }
    }
}
