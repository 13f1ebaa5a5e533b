package dev.weft.backend.cuda.kernel;

/**
 * A call among those of one launch. The words mean what the kernel says; {@code call.cuh} names their places.
 *
 * @param member of the group whose operands and attributes the call has, -1 for none
 * @param words what the kernel finds behind the attributes of the member's way
 * @param columns of blocks, or rows of the part
 * @param height of the columns, or rows of a block
 * @param first block of the launch that works on the part
 * @param end behind the last one
 * @param kind what is done, 0 for nothing
 */
public record Part(int member, long[] words, long columns, long height, long first, long end, long kind) {
    /** No call. */
    public static final Part NONE = new Part(-1, new long[0], 0, 0, 0, 0, 0);

    /** A member that the whole launch works on. */
    static Part whole(int member, long... words) {
        return new Part(member, words, 0, 0, 0, 0, 1);
    }
}
