package dev.weft.spi;

import dev.weft.op.OpInstance;
import java.util.List;

/**
 * Optional ability of a {@link BackendDevice} whose kernels call functions of an installed library: says of each function
 * whether the installation has it and takes what the kernels would give it. Nothing is computed.
 */
public interface VendorFunctions {
    /**
     * Asks about every function that some way of running these instances on this device calls, also ways that are not the
     * preferred ones.
     *
     * @return one answer per function, in order of their names
     */
    List<Answer> ask(List<OpInstance> instances);

    /** What became of a function; of several findings the last named here. */
    enum Finding {
        /** Every call is taken. */
        ACCEPTED("accepted"),
        /** The library does not take operands of these shapes or types. */
        BAD_SHAPE("bad shape"),
        /** The library has the function, but not for this device. */
        REFUSED("refused by the device"),
        /** The library failed while it looked at the call. */
        FAILED("failed"),
        /** No declaration tells which arguments it wants. */
        UNVERIFIED("unverified"),
        /** The declaration wants other arguments than the kernels would give. */
        MISMATCH("mismatch"),
        /** The installation has no such function. */
        MISSING("missing");

        private final String text;

        Finding(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }

    /**
     * About one function.
     *
     * @param function its name
     * @param finding the gravest finding
     * @param calls number of calls that were asked about
     * @param detail the first reason for the finding, empty if accepted
     */
    record Answer(String function, Finding finding, int calls, String detail) {}
}
