package dev.weft.arrow;

import dev.weft.DeviceId;
import java.util.Map;

/**
 * Where memory is, in the words that DLPack and Arrow's C Device interface share.
 *
 * @param type device type
 * @param ordinal number of the device
 */
record Place(int type, int ordinal) {
    private static final int CPU = 1;
    private static final int CUDA = 2;

    static final Place HOST = new Place(CPU, 0);

    private static final Map<String, Integer> TYPES = Map.of("cpu", CPU, "cuda", CUDA);

    /** @throws ArrowException if neither DLPack nor Arrow has a number for such devices */
    static Place of(DeviceId device) {
        Integer type = TYPES.get(device.backend());
        if (type == null) {
            throw new ArrowException("device " + device + ": found backend " + device.backend() + ", expected one of "
                    + TYPES.keySet() + "; DLPack has no device type for it, read the tensor and pass a copy");
        }
        return type == CPU ? HOST : new Place(type, device.ordinal());
    }

    boolean isHost() {
        return type == CPU;
    }

    @Override
    public String toString() {
        return isHost() ? "the host" : type == CUDA ? "cuda:" + ordinal : "a device of type " + type;
    }
}
