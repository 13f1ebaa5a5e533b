package dev.weft.backend.ascend.kernel;

import dev.weft.op.OpInstance;
import dev.weft.spi.WeightLayout;
import java.util.List;
import java.util.Optional;

/**
 * A candidate as data. Its list of functions is not declared but recorded from a pass over the instance, so that it cannot
 * disagree with what is called; a body must therefore call the same functions on every product it does not refuse.
 *
 * @param name leading function or {@link Candidate#COMPOSITE}
 * @param refusal why it cannot
 * @param packer weight layouts
 * @param remark what differs from the instance
 * @param body writes the calls; not asked when every result is empty
 */
record Way(String name, Refusal refusal, Packer packer, Remark remark, Body body) implements Candidate {
    /** Why an instance cannot run on a product, empty if it can. */
    interface Refusal {
        Optional<String> of(OpInstance op, Profile profile);
    }

    /** The layout of a weight operand. */
    interface Packer {
        Optional<WeightLayout.Packing> of(OpInstance op, int operand, Profile profile);
    }

    /** A deviation worth naming. */
    interface Remark {
        Optional<String> of(OpInstance op);
    }

    /** Writes the calls. */
    interface Body {
        void emit(OpInstance op, Emit e);
    }

    /** A composite that takes every instance. */
    static Way composite(Body body) {
        return of(COMPOSITE, body);
    }

    /** A candidate that takes every instance. */
    static Way of(String name, Body body) {
        return new Way(name, (op, p) -> Optional.empty(), (op, i, p) -> Optional.empty(), op -> Optional.empty(), body);
    }

    /** Only a reason: an operator that no document offers. */
    static Way none(String reason) {
        return composite((op, e) -> {}).refusing((op, p) -> Optional.of(reason));
    }

    /** This candidate with one more refusal. */
    Way refusing(Refusal more) {
        Refusal first = refusal;
        return new Way(name, (op, p) -> first.of(op, p).or(() -> more.of(op, p)), packer, remark, body);
    }

    /** This candidate for products that have {@code capability}. */
    Way needing(Profile.Capability capability) {
        return refusing((op, p) -> p.lacks(capability));
    }

    /** This candidate with weights in a layout of its own. */
    Way packing(Packer layout) {
        return new Way(name, refusal, layout, remark, body);
    }

    /** This candidate with a remark. */
    Way noting(Remark note) {
        return new Way(name, refusal, packer, note, body);
    }

    @Override
    public Optional<String> refuse(OpInstance op, Profile profile) {
        return refusal.of(op, profile);
    }

    @Override
    public List<String> functions(OpInstance op) {
        return FunctionRecorder.functions(this, op);
    }

    @Override
    public Optional<WeightLayout.Packing> packing(OpInstance op, int operand, Profile profile) {
        return packer.of(op, operand, profile);
    }

    @Override
    public Optional<String> note(OpInstance op) {
        return remark.of(op);
    }

    @Override
    public void emit(OpInstance op, Emit e) {
        int inputs = op.inputs().size();
        for (int i = 0; i < op.outputs().size(); i++) {
            if (e.operand(inputs + i).elements() > 0) {
                body.emit(op, e);
                return;
            }
        }
    }
}
