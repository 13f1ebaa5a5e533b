package dev.weft.ranks.mpi;

/**
 * A call of a group, for messages. Ranks that are in the same call have the same {@link #text}.
 *
 * @param operation method of the communicator
 * @param what whose work it is
 * @param group name of the group
 * @param sequence number of the call in its group
 * @param step number of the step
 * @param bytes what this rank sends
 */
record Call(String operation, String what, String group, long sequence, long step, long bytes) {
    String text() {
        return operation + " '" + what + "' of group " + group + ", call " + sequence + " in step " + step;
    }
}
