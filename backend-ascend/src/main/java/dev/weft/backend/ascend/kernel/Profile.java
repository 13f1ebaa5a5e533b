package dev.weft.backend.ascend.kernel;

import dev.weft.BackendUnavailableException;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/**
 * A product family, told apart by the name of its chip. What a family lacks is data: see {@link Capability}.
 *
 * <p>Source: runtime documentation of {@code aclrtGetSocName} for the names.
 */
public enum Profile {
    /** Atlas A2. */
    A2("Ascend910B"),
    /** Atlas A3: two dies, each a device. */
    A3("Ascend910_93"),
    /** Ascend 950PR. */
    PR950("Ascend950PR"),
    /** Ascend 950DT. */
    DT950("Ascend950DT");

    /** What not every family has, with the document that says who has it. */
    public enum Capability {
        /** FP8, FP4 and E8M0 tensors in operators. */
        NARROW_FLOATS(EnumSet.of(PR950, DT950), "FP8, FP4 and E8M0 tensors", "ops-nn docs aclnnQuantMatmulV5"),
        /** FP8 products with 128 x 128 scales. */
        BLOCK_FP8(EnumSet.of(PR950, DT950), "G-B quantisation with FP8", "ops-nn docs aclnnQuantMatmulV5"),
        /** FP4 expert weights with FP8 activations. */
        EXPERTS_A8W4(
                EnumSet.of(PR950, DT950),
                "MX A8W4 grouped products",
                "ops-transformer docs aclnnGroupedMatmulWeightNz"),
        /** Experts in INT8, for families without narrower floats. */
        INT8_EXPERTS(EnumSet.of(A2, A3), "INT8 experts in Weft", "ops-transformer docs aclnnGroupedMatmulV5"),
        /** Products of BF16 operands with an F32 result. */
        MATMUL_16_TO_32(EnumSet.of(PR950, DT950), "16cast32 products", "ops-nn docs aclnnFusedMatmul"),
        /** Lightning indexer on BF16 keys of compressed entries. */
        INDEX_16_BIT(
                EnumSet.of(A2, A3), "lightning indexer on BF16 keys", "ops-transformer docs aclnnLightningIndexerV2"),
        /** Gated activation by group with a clamp. */
        SWIGLU_GROUP(EnumSet.of(PR950, DT950), "SwigluGroup", "ops-nn docs aclnnSwigluGroupQuant");

        private final Set<Profile> holders;
        private final String what;
        private final String document;

        Capability(Set<Profile> holders, String what, String document) {
            this.holders = holders;
            this.what = what;
            this.document = document;
        }
    }

    private final String prefix;

    Profile(String prefix) {
        this.prefix = prefix;
    }

    /**
     * The family of a chip.
     *
     * @throws BackendUnavailableException for a chip of no known family
     */
    public static Profile of(String socName) {
        return find(socName)
                .orElseThrow(() -> new BackendUnavailableException("ascend: chip '" + socName
                        + "': expected Ascend950DT, Ascend950PR, Ascend910_93 or Ascend910B; other chips were never"
                        + " looked at"));
    }

    /** The family of a chip, empty for a chip of no known family. */
    public static Optional<Profile> find(String socName) {
        return Arrays.stream(values()).filter(p -> socName.startsWith(p.prefix)).findFirst();
    }

    /** Whether the family is an Ascend 950. */
    public boolean is950() {
        return this == PR950 || this == DT950;
    }

    /** Whether the family has it. */
    public boolean has(Capability capability) {
        return capability.holders.contains(this);
    }

    /** Why the family cannot, empty if it can. */
    public Optional<String> lacks(Capability capability) {
        return has(capability)
                ? Optional.empty()
                : Optional.of(prefix + ": no " + capability.what + " (" + capability.document + ": "
                        + capability.holders + " only)");
    }
}
