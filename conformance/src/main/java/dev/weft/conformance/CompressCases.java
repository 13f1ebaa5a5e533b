package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.op.Compress;
import dev.weft.op.EntryForm;
import java.util.stream.Stream;

/** Compressed entries: both ratios of the family, every form, blocks that begin before the step. */
final class CompressCases {
    private static final int PER_PAGE = 3;

    private CompressCases() {}

    static Stream<OpCase> all() {
        Stream.Builder<OpCase> cases = Stream.builder();
        // from the start, finishing a block begun before, one token that finishes, one that does not, around the ring
        Steps mixed = Steps.of(0, 9, 6, 3, 3, 1, 5, 1, 13, 8);
        Steps rare = Steps.of(120, 9, 255, 1, 256, 1, 383, 2);
        for (DType d : PlainCases.FLOWS) {
            for (EntryForm form : EntryForm.values()) {
                int width = form == EntryForm.FP8 ? 80 : 64;
                cases.add(compress(d, form, 4, true, 8, width, mixed));
                cases.add(compress(d, form, 4, true, 11, width, mixed).withGaps(0, 1));
                cases.add(compress(d, form, 4, false, 4, width, mixed));
                cases.add(compress(d, form, 128, false, 128, width, rare));
            }
            cases.add(compress(d, EntryForm.PLAIN, 2, true, 5, 17, mixed));
            cases.add(compress(d, EntryForm.PLAIN, 4, true, 8, 16, Steps.of(0, 0)));
        }
        return cases.build();
    }

    private static OpCase compress(
            DType d, EntryForm form, int ratio, boolean overlap, int ring, int width, Steps steps) {
        Compress op = new Compress(ratio, overlap, NormCases.PLAIN, 1e-6f, form);
        int wide = op.coff() * width;
        return OpCase.of(
                op,
                Operand.random(DType.F32, steps.rows(), wide),
                Operand.random(DType.F32, steps.rows(), wide),
                Operand.random(DType.F32, ratio, wide),
                Operand.random(d, width),
                Operand.random(DType.F32, steps.rings(), ring, wide),
                Operand.random(DType.F32, steps.rings(), ring, wide),
                Operand.random(d, steps.pageCount(ratio, PER_PAGE), PER_PAGE, width),
                steps.positions(),
                steps.starts(),
                steps.slots(),
                steps.pages(ratio, PER_PAGE));
    }
}
