package dev.weft.backend.ascend;

/**
 * A call of a group, for messages.
 *
 * @param operation method of the communicator
 * @param what whose work it is
 * @param group name of the group
 * @param sequence number of the call in its group
 * @param step number of the step
 * @param bytes what this rank sends
 */
record HcclCall(String operation, String what, String group, long sequence, long step, long bytes) {
    @Override
    public String toString() {
        return operation + " '" + what + "' of group " + group + ", call " + sequence + " in step " + step + " ("
                + bytes + " bytes)";
    }
}
